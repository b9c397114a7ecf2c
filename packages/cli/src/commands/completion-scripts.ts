/**
 * What a shell runs when somebody types `backup …` and Tab. They ask the program itself, so that what is offered is what
 * it takes. SHELL says in which form: the shell that is running need not be the one of the login.
 */
export const COMPLETION_SCRIPTS = {
  bash: `# Completion of backup's command line for bash.
_backup() {
  local word current=\${COMP_WORDS[COMP_CWORD]} words=()
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    # bash has taken --transport=rsync apart.
    [[ $word == = ]] || words+=("$word")
  done
  if [[ $current == = ]]; then
    current=
    words+=("")
  fi
  COMPREPLY=()
  while IFS= read -r word; do
    # Options only where one begins: elsewhere the name of a file is what is meant.
    [[ $word == "$current"* && ($word != -* || $current == -*) ]] && COMPREPLY+=("$word")
  done < <(SHELL=bash backup --get-yargs-completions "\${words[@]}" 2>/dev/null)
}
complete -o default -F _backup backup
`,
  zsh: `#compdef backup
# Completion of backup's command line for zsh.
_backup() {
  local current=\${words[CURRENT]} word
  local -a found fitting
  found=(\${(f)"$(SHELL=zsh backup --get-yargs-completions "\${(@)words[1,CURRENT]}" 2>/dev/null)"})
  for word in $found; do
    # Options only where one begins: elsewhere the name of a file is what is meant.
    [[ $word != -* || $current == -* ]] && fitting+=("$word")
  done
  if (( $#fitting )); then
    _describe 'backup' fitting
  else
    _files
  fi
}
if [[ $funcstack[1] == _backup ]]; then
  _backup "$@"
else
  compdef _backup backup
fi
`,
} as const;

export type Shell = keyof typeof COMPLETION_SCRIPTS;
