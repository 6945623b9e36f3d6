package audit

import "strings"

// sign is a variable that tells where a process runs. One that ends in _ stands for all
// that begin so.
type sign struct{ variable, name string }

// CI returns the name of the CI system whose variables a process has, "ci" if it is
// one that is not known here, "" if there is none. Anybody can set such variables.
func CI(environ []string) string {
	return find(environ, []sign{
		{"FORGEJO_ACTIONS", "forgejo-actions"}, // these two set GITHUB_ACTIONS as well
		{"GITEA_ACTIONS", "gitea-actions"},
		{"GITHUB_ACTIONS", "github-actions"},
		{"GITLAB_CI", "gitlab-ci"},
		{"CIRCLECI", "circleci"},
		{"TRAVIS", "travis"},
		{"BUILDKITE", "buildkite"},
		{"JENKINS_URL", "jenkins"},
		{"TEAMCITY_VERSION", "teamcity"},
		{"TF_BUILD", "azure-pipelines"},
		{"BITBUCKET_BUILD_NUMBER", "bitbucket-pipelines"},
		{"CODEBUILD_BUILD_ID", "codebuild"},
		{"DRONE", "drone"},
		{"APPVEYOR", "appveyor"},
		{"SEMAPHORE", "semaphore"},
		{"CI", "ci"},
	})
}

// Agent returns the name of the coding agent whose variables a process has, "" if there
// are none. It is a hint: anybody can set or unset them, an editor's terminal has them for
// people too, and not every agent has any.
func Agent(environ []string) string {
	return find(environ, []sign{
		{"CLAUDECODE", "claude-code"},
		{"CLAUDE_CODE_ENTRYPOINT", "claude-code"},
		{"CURSOR_AGENT", "cursor"},
		{"CURSOR_TRACE_ID", "cursor"},
		{"GEMINI_CLI", "gemini-cli"},
		{"CODEX_HOME", ""}, // people set it too
		{"CODEX_", "codex"},
		{"AIDER_", "aider"},
		{"OPENCODE", "opencode"},
		{"CLINE_ACTIVE", "cline"},
		{"AUGMENT_AGENT", "augment"},
		{"GOOSE_TERMINAL", "goose"},
		{"REPLIT_AGENT", "replit"},
		{"AI_AGENT", "*"}, // whose value is the name
	})
}

// find returns the name of the first sign that is there and is not switched off.
func find(environ []string, signs []sign) string {
	best, name := len(signs), ""
	for _, variable := range environ {
		key, value, _ := strings.Cut(variable, "=")
		if value == "" || value == "0" || value == "false" {
			continue
		}
		for i, s := range signs[:best] {
			if key != s.variable && !(strings.HasSuffix(s.variable, "_") && strings.HasPrefix(key, s.variable)) {
				continue
			}
			if s.name == "" {
				break
			}
			if best, name = i, s.name; name == "*" {
				name = value
			}
			break
		}
	}
	return name
}
