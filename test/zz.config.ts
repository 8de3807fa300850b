import main from "/work/wt/charts16/test/vitest.config.js"
export default { ...main, test: { ...main.test, globalSetup: [] } }
