// Package migrations holds the schema of the control plane's database, as goose reads it.
//
// One file is one step: NNNN_name.sql, only ever rolled forward. A step that has shipped is never
// edited. Each step has a fixture of the same number in fixtures/, which fills the tables it makes;
// a test applies steps and fixtures in turn and fails when a table stays empty, so that a later step
// is tried on data.
//
// The package owns the SQL text and nothing else: the control plane's postgres package applies it.
package migrations

import "embed"

// FS holds every step, at its root.
//
//go:embed *.sql
var FS embed.FS
