export interface DovecotConfig {
  readonly root: string;
  readonly tlsPort: number;
  readonly starttlsPort: number;
  readonly certFile: string;
  readonly keyFile: string;
  readonly separator: "/" | ".";
  readonly mailLocation: string;
  readonly processLimit: number;
  readonly connectionLimit: number;
  readonly extraConfig: string;
}

/** dovecot.conf of a private Dovecot 2.3 below `root`, started by root, mail owned by `mail`. */
export function dovecotConfig(config: DovecotConfig): string {
  const { root } = config;
  return `
base_dir = ${root}/run
state_dir = ${root}/state
log_path = ${root}/log
instance_name = ${config.starttlsPort}
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <${config.certFile}
ssl_key = <${config.keyFile}
disable_plaintext_auth = no
auth_mechanisms = plain login
# A wrong password is answered at once, however often.
auth_failure_delay = 0
mail_fsync = never
mail_location = ${config.mailLocation}
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
default_client_limit = 200
default_process_limit = 100
mail_max_userip_connections = ${config.connectionLimit}
passdb {
  driver = passwd-file
  args = ${root}/passwd
}
userdb {
  driver = static
  args = uid=mail gid=mail home=${root}/mail/%u
}
service imap {
  process_limit = ${config.processLimit}
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${config.starttlsPort}
  }
  inet_listener imaps {
    port = ${config.tlsPort}
    ssl = yes
  }
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
protocol imap {
  mail_plugins = $mail_plugins imap_zlib
}
namespace inbox {
  inbox = yes
  separator = ${config.separator}
  mailbox Sent {
    special_use = \\Sent
    auto = subscribe
  }
}
${config.extraConfig}
`;
}
