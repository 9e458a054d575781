/** `Date` values, made once a second. */
export class DateHeader {
  #second = -1;
  #text = "";

  /** IMF-fixdate (RFC 9110, 5.6.7) for a time in milliseconds. */
  at(now: number): string {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toUTCString();
    }
    return this.#text;
  }
}
