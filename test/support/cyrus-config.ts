export interface CyrusConfig {
  readonly root: string;
  readonly tlsPort: number;
  readonly starttlsPort: number;
  readonly certFile: string;
  readonly keyFile: string;
  readonly separator: "/" | ".";
  readonly extraConfig: string;
}

/** Programs of the package cyrus-common. */
export const CYRUS_BIN = "/usr/lib/cyrus/bin";

/** imapd.conf of a private Cyrus 3.6 below `root`. */
export function imapdConfig(config: CyrusConfig): string {
  const { root } = config;
  return `
configdirectory: ${root}/conf
partition-default: ${root}/spool
defaultpartition: default
admins: cyrus
servername: localhost
defaultdomain: localhost
virtdomains: off
unixhierarchysep: ${config.separator === "/" ? "yes" : "no"}
altnamespace: yes
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: ${root}/sasldb
tls_server_cert: ${config.certFile}
tls_server_key: ${config.keyFile}
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Sent
# Otherwise it overwrites 8-bit bytes of headers.
munge8bit: no
conversations: yes
expunge_mode: immediate
delete_mode: immediate
duplicate_db: twoskip
idlesocket: ${root}/conf/socket/idle
lmtpsocket: ${root}/conf/socket/lmtp
notifysocket: ${root}/conf/socket/notify
mboxname_lockpath: ${root}/conf/lock
proc_path: ${root}/conf/proc
${config.extraConfig}
`;
}

/** cyrus.conf: what the master process runs. */
export function masterConfig(config: CyrusConfig, imapd: string): string {
  const options = `-C ${config.root}/imapd.conf`;
  return `
START {
  recover cmd="${CYRUS_BIN}/ctl_cyrusdb ${options} -r"
}
SERVICES {
  imap cmd="${imapd} ${options}" listen="127.0.0.1:${config.starttlsPort}" prefork=0 maxchild=100
  imaps cmd="${imapd} -s ${options}" listen="127.0.0.1:${config.tlsPort}" prefork=0 maxchild=100
}
EVENTS {
  checkpoint cmd="${CYRUS_BIN}/ctl_cyrusdb ${options} -c" period=30
}
`;
}
