/** The configuration of a private Dovecot 2.3. */
import { execFileSync } from "node:child_process";
import { userInfo } from "node:os";

/** @param {{ dir: string, port: number, maildir: string, compress: boolean }} options */
export const config = ({ dir, port, maildir, compress }) => {
  const me = userInfo();
  const root = me.uid === 0;
  // Dovecot serves no mail as root; without root it can be no one but us.
  const mail = root ? { uid: "mail", gid: "mail" } : { uid: me.uid, gid: me.gid };
  const internal = root ? { login: "dovenull", user: "dovecot", group: "dovecot" } : ownUser(me.username);
  return `
base_dir = ${dir}/run
state_dir = ${dir}/state
instance_name = bench${port}
log_path = ${dir}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <${dir}/cert.pem
ssl_key = <${dir}/key.pem
auth_mechanisms = plain login
mail_location = maildir:${maildir.replaceAll("%", "%%")}
mail_uid = ${mail.uid}
mail_gid = ${mail.gid}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 50
default_internal_user = ${internal.user}
default_login_user = ${internal.login}
default_internal_group = ${internal.group}
passdb {
  driver = passwd-file
  args = ${dir}/passwd
}
userdb {
  driver = static
  args = uid=${mail.uid} gid=${mail.gid} home=${dir}
}
service imap-login {
  chroot =
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = ${port}
    ssl = yes
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
protocol imap {
  mail_plugins = $mail_plugins${compress ? " imap_zlib" : ""}
}
namespace inbox {
  inbox = yes
  separator = /
}
`;
};

/** @param {string} user */
const ownUser = (user) => ({
  user,
  login: user,
  group: execFileSync("id", ["-gn"], { encoding: "utf8" }).trim(),
});
