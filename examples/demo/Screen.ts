/**
 * What the demo prints: on a terminal a line that moves while its scene runs, elsewhere one plain line when it has
 * ended.
 */
import { Clock, Console, Effect, Fiber, Ref, Schedule, type Scope } from "effect"

/** What the moving line says beside its title. */
export type Say = (text: string) => Effect.Effect<void>

export interface Screen {
  readonly print: (text?: string) => Effect.Effect<void>
  /** Runs the scene under a moving line, which then becomes the scene's result, with the time it took. */
  readonly scene: <E, R>(
    title: string,
    run: (say: Say) => Effect.Effect<ReadonlyArray<string>, E, R>
  ) => Effect.Effect<void, E, R>
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
}

const spinner = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"]
const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"
const eraseLine = "\r\u001b[2K"

const style =
  (on: boolean, open: number, close: number) =>
  (text: string): string =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text

const write = (text: string): Effect.Effect<void> => Effect.sync(() => process.stdout.write(text))

/** As long as the line is moving; one that wraps can't be erased. */
const clip = (text: string): string => text.slice(0, (process.stdout.columns || 80) - 1)

export const make = (live: boolean): Effect.Effect<Screen, never, Scope.Scope> =>
  Effect.gen(function* () {
    const colours = live && process.env["NO_COLOR"] === undefined
    const bold = style(colours, 1, 22)
    const dim = style(colours, 2, 22)
    const green = style(colours, 32, 39)
    const red = style(colours, 31, 39)
    const cyan = style(colours, 36, 39)
    if (live) yield* Effect.acquireRelease(write(hideCursor), () => write(showCursor))

    const moving = (title: string, note: Ref.Ref<string>, since: number) =>
      Effect.gen(function* () {
        const elapsed = (yield* Clock.currentTimeMillis) - since
        const said = yield* Ref.get(note)
        const frame = spinner[Math.floor(elapsed / 80) % spinner.length] ?? ""
        const text = clip(`  ${frame} ${title}${said === "" ? "" : ` · ${said}`}`)
        yield* write(`${eraseLine}${cyan(text.slice(0, 3))}${text.slice(3)}`)
      })

    return {
      print: (text = "") => Console.log(text),
      bold,
      dim,
      scene: (title, run) =>
        Effect.gen(function* () {
          const note = yield* Ref.make("")
          const since = yield* Clock.currentTimeMillis
          const line = live
            ? yield* Effect.fork(Effect.repeat(moving(title, note, since), Schedule.spaced("80 millis")))
            : undefined
          const stop = (mark: string) =>
            line === undefined
              ? Console.log(`  ${mark} ${title}`)
              : Effect.zipRight(
                  Fiber.interrupt(line),
                  Effect.zipRight(write(eraseLine), Console.log(`  ${mark} ${bold(title)}`))
                )
          const details = yield* Effect.onExit(
            run((text) => Ref.set(note, text)),
            (exit) => stop(exit._tag === "Success" ? green("✓") : red("✗"))
          )
          for (const detail of details) yield* Console.log(`    ${detail}`)
        })
    }
  })
