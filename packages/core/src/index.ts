export { ahead } from "./ahead.js";
export { backup, type BackupOptions } from "./run.js";
export {
  type Mirror,
  type MirrorHistoryOptions,
  type MirrorOptions,
  type MirrorPlace,
  type MirrorPlan,
  type MirrorResult,
  type MirrorSnapshot,
  mirrorToHistory,
  runMirror,
} from "./mirror.js";
export type { SnapshotBefore, SnapshotRun } from "./make-snapshot.js";
export {
  type FollowClock,
  type FollowOptions,
  type FollowPart,
  type FollowTiming,
  follow,
} from "./follow.js";
export {
  BackupError,
  type BackupErrorOptions,
  type ErrorCode,
  isBackupError,
  systemCode,
  throwIfAborted,
} from "./errors.js";
export type { BackupEvent, EventSink } from "./events.js";
export type { Report } from "./report.js";
export {
  type DrillOptions,
  type DrillPlace,
  type DrillReport,
  type DrillRequest,
  type Returned,
  drill,
} from "./drill.js";
export { drillInto } from "./drill-directory.js";
export type { RestoreReport, RestoreRequest, Target } from "./restore.js";
export type {
  Body,
  Candidate,
  Collection,
  Content,
  Copy,
  Directory,
  Identity,
  Item,
  Known,
  Naming,
  Outcome,
  Path,
  Proof,
  Stored,
  Unavailable,
} from "./model.js";
export { isUnavailable } from "./model.js";
export type { Source, View } from "./source.js";
export type { Cloned, Description, Digested, FileContent, Move, Place, Store } from "./store.js";
export type { Reach, RemoteShell } from "./reach.js";
export type { Attributes, FileTree, FileTreeOptions, RawPath, TreeEntry, TreeFacts } from "./file-tree.js";
export { LocalTree } from "./local-tree.js";
export { syncFileSystemHere } from "./sync-file-system.js";
export { type ReadAhead, readAhead } from "./read-ahead.js";
export { localStorePlugin } from "./local-store-plugin.js";
export { LocalStore, type LocalStoreOptions } from "./local-store.js";
export { type Lease, type LeaseFile, LEASE_FILE, LEASE_TIMING, type LeaseTiming, takeLease } from "./lease.js";
export { OWNED_NAME_BYTES, type OwnedDirectoryOptions, makeOwnedDirectory } from "./owned-directory.js";
export type { Dump, DumpCollection, DumpItem, DumpWork } from "./dump.js";
export { dumpLayout, readDumpName } from "./dump-layout.js";
export { DumpSource, type DumpSourceOptions } from "./dump-source.js";
export type { DumpStageOptions } from "./dump-stage.js";
export { escapeName, escapeNames, unescapeName } from "./escape-name.js";
export type { Flaw, Layout, Sidecars, StoredMail } from "./layout.js";
export { type Holding, INVENTORY_FILE, type Inventory } from "./inventory.js";
export { type CollectionFiles, type Looked, backupFiles } from "./backup-files.js";
export { type Backup, type Listed, listBackup, readBackup } from "./list-backup.js";
export { type Damage, isDamagedFile } from "./damage.js";
export { type Verified, type VerifyOptions, verify } from "./verify.js";
export {
  type Difference,
  type Differences,
  type DifferencesInput,
  findDifferences,
} from "./differences.js";
export type { Stock } from "./stock.js";
export type { Loss } from "./deletion-limit.js";
export { backupToHistory, type HistoryOptions } from "./backup-to-history.js";
export { type Day, formatDay, localDay, parseDay } from "./day.js";
export { type History, chooseDay, readHistory } from "./history.js";
export { type PruneOptions, prune } from "./prune.js";
export { type Retention, type Verdict, retain } from "./retention.js";
export { type Snapshot, type SnapshotReport, readSnapshots } from "./snapshots.js";
export { within, type WithinOptions } from "./within-store.js";
export { ContentHash, contentOf, digestOf } from "./digest.js";
export { syncDirectory } from "./sync-directory.js";
export { CHECKPOINT_FILE } from "./checkpoint.js";
export type { DayBudget } from "./day-budget.js";
export { backupAround } from "./local-directories.js";
export { withinBackup } from "./within-backup.js";
export { PRIVATE, checkPath, isSafe, parentOf } from "./paths.js";
export { Secret } from "./secret.js";
export { scrub, scrubbedError } from "./scrub.js";
export { defaultCertificates, readCertificates } from "./certificates.js";
export { type SecretQuery, findSecret } from "./find-secret.js";
export { saveSecret } from "./save-secret.js";
export { type SecretCommand, secretFromCommand } from "./secret-command.js";
export {
  type AnyActionPlugin,
  type DestinationWords,
  type LookedMirror,
  type MirrorPlugin,
  type NotifierPlugin,
  PLUGIN_API,
  type Plugin,
  type RestoreDescription,
  type RunWishes,
  type SourcePlugin,
  type StorePlugin,
  type VerifyMirrorOptions,
  definePlugin,
} from "./plugin.js";
export type { Counterpart, CounterpartOf, CounterpartWords, OpenDrill } from "./counterpart.js";
export type { LoggedOn, LoginContext, LoginDescription, LoginStep, LoginWords } from "./plugin-login.js";
export {
  type Arguments,
  type CamelCase,
  type Example,
  type PluginOption,
  type PluginOptions,
  type Positional,
  camelCase,
} from "./plugin-options.js";
export {
  type PluginContext,
  type PluginContextOptions,
  type SecretRequest,
  openPluginContext,
} from "./plugin-context.js";
export type { ActionResult, Notifier, SessionOutcome, SessionResult } from "./notifier.js";
export { type LoadedPlugin, PluginRegistry } from "./plugin-registry.js";
export { type ScriptPluginOptions, loadScriptPlugin } from "./script-plugin.js";
export {
  type CommandLine,
  ProgramExit,
  type ProgramEnd,
  type ProgramOptions,
  type ProgramOutput,
  type ProgramRunner,
  type ProgramRunnerOptions,
  type RunOptions,
  type RunningProgram,
  programRunner,
} from "./program.js";
export {
  type Ended,
  type GroupOptions,
  type Member,
  type ProcessGroup,
  membersOf,
  startGroup,
  waitForGroup,
} from "./process-group.js";
export { atExit } from "./at-exit.js";
export { childEnvironment } from "./child-environment.js";
export { checkHome } from "./check-home.js";
export { parseSize } from "./size.js";
