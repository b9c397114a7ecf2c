/** How large the messages of an ordinary account are. */
import { random } from "./random.mjs";

/**
 * Bytes of a message at a quantile: 77 % are 2-20 KB, 20 % up to 100 KB, 3 % up to 2 MB, and 8 in 10,000 are 5-20 MB;
 * log-uniform inside each class. The mean is 44 KB.
 *
 * @param {number} quantile 0 to 1
 */
const sizeAt = (quantile) => {
  const classes = [
    { share: 0.775, from: 2e3, to: 20e3 },
    { share: 0.1922, from: 20e3, to: 100e3 },
    { share: 0.032, from: 100e3, to: 2e6 },
    { share: 0.0008, from: 5e6, to: 20e6 },
  ];
  let left = quantile;
  for (const { share, from, to } of classes) {
    if (left < share) return from * (to / from) ** (left / share);
    left -= share;
  }
  return 20e6;
};

/**
 * Sizes for a mailbox of any length. Quantiles are spread evenly and shuffled, so the total hardly depends on the seed.
 *
 * @param {number} count
 * @param {number} seed
 */
export const mixedSizes = (count, seed) => {
  const next = random(seed);
  const sizes = Array.from({ length: count }, (_, index) => sizeAt((index + 0.5) / count));
  for (let index = count - 1; index > 0; index--) {
    const other = Math.floor(next() * (index + 1));
    [sizes[index], sizes[other]] = [sizes[other], sizes[index]];
  }
  return sizes;
};

/**
 * Sizes of small messages, 1 to 4 KB.
 *
 * @param {number} count
 * @param {number} seed
 */
export const smallSizes = (count, seed) => {
  const next = random(seed);
  return Array.from({ length: count }, () => 1e3 * 4 ** next());
};
