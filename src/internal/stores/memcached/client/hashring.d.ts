declare module "hashring" {
  class HashRing {
    constructor(
      servers: Readonly<Record<string, { readonly vnodes: number }>>,
      algorithm: "md5",
      options: { readonly "vnode count": number }
    )
    get(key: string): string
    range(key: string, size: number): ReadonlyArray<string>
  }
  export = HashRing
}
