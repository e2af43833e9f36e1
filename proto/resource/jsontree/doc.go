// Package jsontree reads a JSON document (RFC 8259) strictly and whole.
//
// It owns the grammar, and what the grammar leaves open: a name given twice in one object, text that is not Unicode and
// nesting deeper than [MaxDepth] are violations, each with its JSON pointer (RFC 6901). It does not own meaning: which
// names and types belong where is package resource's.
//
// Numbers stay text as they were written, so that nothing is lost before it is known what they must be.
package jsontree
