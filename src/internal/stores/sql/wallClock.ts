/** The clock by which statements time out. */
import { Clock } from "effect"

/**
 * A database works in real time. So a `TestClock` that is moved by an hour must not time out statements, and one that stands
 * still must not keep a statement from timing out.
 */
export const wallClock = Clock.make()
