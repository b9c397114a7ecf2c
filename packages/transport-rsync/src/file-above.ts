/** What a directory holds as a file that was asked for. */
export interface FileAbove {
  /** Absolute, as the account sees it. */
  readonly directory: string;
  readonly text: string;
}
