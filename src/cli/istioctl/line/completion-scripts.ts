export type Shell = "bash" | "zsh" | "fish" | "powershell";

interface ShellScript {
  /** How to use it, as the help's example. */
  readonly setUp: string;
  /** The script; `call` is the subcommand that it asks for words. */
  script(call: string): string;
}

/**
 * Each script hands the line up to the cursor to `istioctl __complete` and shows what comes back: a word a line, a tab
 * and its meaning, and last a colon and what the shell shall do if there are no words (0: complete files, 4: nothing).
 */
export const SCRIPTS: Record<Shell, ShellScript> = {
  bash: {
    setUp: "  source <(istioctl completion bash)",
    script: (call) => `# bash completion for istioctl

_istioctl_complete() {
    local line=("\${COMP_WORDS[@]:1:COMP_CWORD}") answer word directive=0
    # A line that ends with a space has an empty word at the cursor; "=" splits words in bash.
    [ \${#line[@]} -lt "$COMP_CWORD" ] && line+=("")
    local joined=() part
    for part in "\${line[@]}"; do
        if [ "$part" = "=" ] && [ \${#joined[@]} -gt 0 ]; then
            joined[\${#joined[@]}-1]+="="
        elif [ \${#joined[@]} -gt 0 ] && [[ "\${joined[\${#joined[@]}-1]}" == -*= ]]; then
            joined[\${#joined[@]}-1]+="$part"
        else
            joined+=("$part")
        fi
    done
    COMPREPLY=()
    while IFS= read -r answer; do
        case "$answer" in
            :*) directive="\${answer#:}" ;;
            *)
                word="\${answer%%$'\\t'*}"
                [ -n "$word" ] && COMPREPLY+=("$word")
                ;;
        esac
    done < <("\${COMP_WORDS[0]}" ${call} "\${joined[@]}" 2>/dev/null)
    if [ \${#COMPREPLY[@]} -eq 0 ] && [ "$directive" = 0 ]; then
        compopt -o default 2>/dev/null
    fi
}
complete -F _istioctl_complete istioctl
`,
  },
  fish: {
    setUp: "  istioctl completion fish | source",
    script: (call) => `# fish completion for istioctl

function __istioctl_complete
    set -l line (commandline -opc) (commandline -ct)
    set -l answers ($line[1] ${call} $line[2..-1] 2>/dev/null)
    for answer in $answers
        if not string match -q ':*' -- $answer
            echo $answer
        end
    end
    if test (count $answers) -le 1; and test "$answers[1]" = ":0"
        __fish_complete_path (commandline -ct)
    end
end
complete -c istioctl -f -a '(__istioctl_complete)'
`,
  },
  powershell: {
    setUp: "  istioctl completion powershell | Out-String | Invoke-Expression",
    script: (call) => `# powershell completion for istioctl

Register-ArgumentCompleter -Native -CommandName istioctl -ScriptBlock {
    param($WordToComplete, $CommandAst, $CursorPosition)
    $Words = @($CommandAst.CommandElements | ForEach-Object { $_.ToString() })
    $Line = @($Words | Select-Object -Skip 1)
    # A line that ends with a space has an empty word at the cursor.
    if ($WordToComplete -eq '') { $Line += '""' }
    & $Words[0] ${call} @Line 2>$null | Where-Object { $_ -notlike ':*' } | ForEach-Object {
        $Word, $Text = $_ -split "\`t", 2
        if (-not $Text) { $Text = $Word }
        [System.Management.Automation.CompletionResult]::new($Word, $Word, 'ParameterValue', $Text)
    }
}
`,
  },
  zsh: {
    setUp: "  source <(istioctl completion zsh)",
    script: (call) => `#compdef istioctl
# zsh completion for istioctl

_istioctl() {
    local -a answers described
    local answer directive=0
    answers=("\${(@f)$("\${words[1]}" ${call} "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for answer in "\${answers[@]}"; do
        case "$answer" in
            :*) directive="\${answer#:}" ;;
            ?*) described+=("\${\${answer%%$'\\t'*}//:/\\\\:}\${\${(M)answer:#*$'\\t'*}:+:\${answer#*$'\\t'}}") ;;
        esac
    done
    if (( \${#described} > 0 )); then
        _describe istioctl described
    elif [ "$directive" = 0 ]; then
        _files
    fi
}
if [ "\${funcstack[1]}" = _istioctl ]; then
    _istioctl "$@"
else
    compdef _istioctl istioctl
fi
`,
  },
};
