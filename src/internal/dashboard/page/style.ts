/** The style sheet of the page. Each text has a contrast of 4.5 to 1 at least, in light and dark. */
export const style = `
:root {
  color-scheme: light dark;
  --back: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #d8dee4; --focus: #0b57d0;
  --good: #1a7f37; --bad: #b3261e;
  --a: #0b6bcb; --b: #b35900; --c: #7a3fc0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0f1318; --card: #171c23; --text: #e6eaef; --soft: #a3adb8; --line: #303842; --focus: #8ab4f8;
    --good: #56d364; --bad: #ff8a80;
    --a: #58a6ff; --b: #f0a24a; --c: #c297ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
header, main { max-width: 1240px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 16px; padding-top: 20px; }
h1 { font-size: 22px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 10px; }
p { margin: 0; }
.soft { color: var(--soft); }
.status { margin-left: auto; min-height: 36px; display: flex; gap: 12px; align-items: center; }
#state { min-width: 5.5em; text-align: right; }
#pause { min-width: 5.5em; }
.status [data-state="live"] { color: var(--good); }
.status [data-state="lost"], .status [data-state="refused"] { color: var(--bad); }
section, figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; margin: 0; min-width: 0; }
main > * { margin: 16px 0 !important; }
.counts { display: grid; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); gap: 10px 14px; margin: 0; }
.counts div { min-width: 0; }
.counts dt { color: var(--soft); font-size: 13px; }
.counts dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.charts, .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 16px; }
figcaption { font-weight: 600; margin-bottom: 6px; }
figcaption span { font-weight: 400; color: var(--soft); }
/* As high as what is drawn into it, so that nothing moves when that is there. */
.plot { height: 170px; overflow: hidden; }
[data-at] { font-size: 13px; min-height: 20px; }
/* In columns, so that nothing moves when a figure gets longer. */
.legend { display: grid; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); gap: 2px 12px; margin: 0; padding: 0; list-style: none; font-size: 14px; }
.legend li { display: flex; gap: 6px; align-items: center; }
.legend li:only-child { grid-column: 1 / -1; }
.legend i { width: 22px; border-top: 2px solid; flex: none; }
.legend .a { border-color: var(--a); } .legend .b { border-color: var(--b); border-top-style: dashed; } .legend .c { border-color: var(--c); border-top-style: dotted; }
.legend b { font-variant-numeric: tabular-nums; font-weight: 600; }
/* What is below must not move while a table grows. */
.scroll { overflow: auto; height: 230px; }
#functions-box { height: clamp(240px, 40vh, 440px); }
#breakers-box { height: 150px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; font-size: 16px; padding-bottom: 8px; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: anywhere; min-width: 9em; font-weight: 500; position: sticky; left: 0; background: var(--card); }
#breakers td { white-space: normal; }
thead th { color: var(--soft); font-weight: 500; font-size: 13px; position: sticky; top: 0; z-index: 1; background: var(--card); }
thead th:first-child { z-index: 2; }
tbody:empty { display: none; }
.wrong { color: var(--bad); font-weight: 600; }
form { display: flex; flex-wrap: wrap; gap: 8px; align-items: end; margin-bottom: 10px; }
form div { flex: 1 1 220px; min-width: 0; }
label { display: block; font-size: 13px; color: var(--soft); }
input { width: 100%; font: 14px ui-monospace, monospace; padding: 7px 9px; border: 1px solid var(--soft); border-radius: 6px; background: var(--back); color: var(--text); }
::placeholder { color: var(--soft); opacity: 1; }
button { font: inherit; padding: 5px 14px; border: 1px solid var(--soft); border-radius: 6px; background: var(--back); color: var(--text); cursor: pointer; }
button:hover { border-color: var(--text); }
button:disabled { opacity: .6; cursor: default; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.answer { min-height: 1.5em; overflow-wrap: anywhere; white-space: pre-wrap; }
[hidden] { display: none !important; }
@media (max-width: 480px) { header, main { padding-left: 12px; padding-right: 12px; } section, figure { padding: 12px; } }
`
