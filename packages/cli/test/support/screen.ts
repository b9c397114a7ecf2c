/** A terminal that keeps what it shows: as much of one as progress bars need. What scrolled away is kept, too. */
export class Screen {
  readonly isTTY = true;
  readonly columns: number;
  /** Whether the cursor is shown. */
  cursor = true;
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;
  #wraps = true;

  constructor(columns: number) {
    this.columns = columns;
  }

  /** Lines without blanks at their ends. */
  get lines(): readonly string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  write(text: string): boolean {
    for (const [token] of text.matchAll(/\x1b\[\??\d*[A-Za-z]|[^]/gu)) {
      const [, count = "", letter] = /^\x1b\[(\??\d*)([A-Za-z])$/.exec(token) ?? [];
      if (letter === undefined) this.#put(token);
      else this.#obey(letter, count);
    }
    return true;
  }

  #obey(letter: string, count: string): void {
    const line = this.#lines[this.#row] ?? "";
    const command = `${count}${letter}`;
    if (letter === "A") this.#row = Math.max(0, this.#row - Number(count));
    else if (letter === "G") this.#column = Number(count) - 1;
    else if (command === "2K") this.#lines[this.#row] = "";
    else if (command === "0K") this.#lines[this.#row] = line.slice(0, this.#column);
    else if (command === "0J") this.#lines.splice(this.#row, Infinity, line.slice(0, this.#column));
    else if (command === "?25h" || command === "?25l") this.cursor = letter === "h";
    else if (command === "?7h" || command === "?7l") this.#wraps = letter === "h";
    else throw new Error(`the terminal does not know ${JSON.stringify(command)}`);
  }

  #put(character: string): void {
    if (character === "\n") return this.#nextLine();
    if (this.#column === this.columns) {
      if (this.#wraps) this.#nextLine();
      else this.#column--;
    }
    const line = (this.#lines[this.#row] ?? "").padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column++;
  }

  #nextLine(): void {
    this.#column = 0;
    this.#row++;
    this.#lines[this.#row] ??= "";
  }
}
