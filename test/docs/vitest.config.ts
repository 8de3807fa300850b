/** What `npm run docs:check` runs: the tests of what is written, which need no server. */
import { defineConfig } from "vitest/config"
import main from "../vitest.config.js"

export default defineConfig({
  ...main,
  test: {
    ...main.test,
    include: ["test/docs/*.test.ts", "test/readme.test.ts", "test/production.test.ts"],
    globalSetup: []
  }
})
