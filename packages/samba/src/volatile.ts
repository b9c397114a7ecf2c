/** Databases of what goes on now, which Samba makes anew; in most installations they are in other directories. */
const VOLATILE =
  /^(?:brlock|browse|connections|ctdb.*|dbwrap_watchers|g_lock|gencache.*|leases|locking|login_cache|messages|mutex|mdssvc|names|netsamlogon_cache|notify.*|printer_list|serverid|sessionid|share_mode.*|smbXsrv_.*|smbd_cleanupd|smbprofile|unexpected|winbindd_cache)\.tdb$/;

/** Whether a database of this name is worth nothing after a restart. */
export function isVolatile(name: string): boolean {
  return VOLATILE.test(name);
}
