/**
 * Where keys stand. On one server the namespace is one bucket: each key stands under its own name, beside one generation. In a
 * cluster a command takes keys of one hash slot only, so the namespace is divided into buckets, each with a hash tag and a
 * generation of its own.
 */
import { spelled } from "../spelled.js"

export interface Bucket {
  readonly generationKey: string
  readonly nameOf: (key: string) => string
}

const bucketsOfCluster = 64
const longestName = 77

/** FNV-1a (Fowler, Noll, Vo, 1991), folded to the number of buckets. */
const bucketOf = (key: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  return ((hash >>> 16) ^ hash) & (bucketsOfCluster - 1)
}

export interface Buckets {
  readonly all: ReadonlyArray<Bucket>
  readonly of: (key: string) => Bucket
}

export const buckets = (namespace: string, isCluster: boolean): Buckets => {
  // Without the braces of a hash tag.
  const name = spelled(namespace, longestName)
  if (!isCluster) {
    const only: Bucket = { generationKey: `effect-cached!generation:${name}`, nameOf: (key) => key }
    return { all: [only], of: () => only }
  }
  const all = Array.from({ length: bucketsOfCluster }, (_, index): Bucket => {
    const tag = `{${name}#${index}}`
    return { generationKey: `${tag}!generation`, nameOf: (key) => `${tag}${key}` }
  })
  // `bucketOf` gives the number of an element.
  return { all, of: (key) => all[bucketOf(key)] as Bucket }
}

/** The elements of each bucket concerned. */
export const byBucket = <A>(
  { of }: Buckets,
  elements: ReadonlyArray<A>,
  keyOf: (element: A) => string
): ReadonlyMap<Bucket, ReadonlyArray<A>> => {
  const groups = new Map<Bucket, Array<A>>()
  for (const element of elements) {
    const bucket = of(keyOf(element))
    const group = groups.get(bucket)
    if (group === undefined) groups.set(bucket, [element])
    else group.push(element)
  }
  return groups
}
