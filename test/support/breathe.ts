/** Lets the test runner speak between stretches of simulation, which never give way by themselves. */
import { setImmediate } from "node:timers/promises"

let since = performance.now()

export const breathe = async (): Promise<void> => {
  if (performance.now() - since < 100) return
  await setImmediate()
  since = performance.now()
}
