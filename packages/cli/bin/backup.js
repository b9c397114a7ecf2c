#!/usr/bin/env node
// In the repository, so that `npm ci` in a fresh clone links the command before anything is built.
import { main } from "../bundle/main.js";

await main();
