// Package attacks is the attacks that the Core Rule Set's own regression tests hold, by the rule that is to find them: what an exclusion is tried on,
// to say what it would open.
//
// It owns the file of them (attacks.gz, made by ./generate from the module that the rules are from, so that both are of one version) and its reading,
// once, when somebody first asks. It owns no request: an attack is the text alone, to be put where the exclusion doesn't look.
package attacks

//go:generate go run ./generate -o attacks.gz
