// Package resource is what a configuration resource is, and how messages become JSON and stored
// bytes, and back.
//
// It owns the registry of resource types ([Types]), the strict codec between JSON and messages
// ([Decode], [Encode], [MergePatch]), the defaults and references drawn from the field options
// ([Defaulted], [References], [Rewrite]), the bytes as stored ([Stored], [FromStored]), and the JSON
// Schemas ([Schema]). Field rules are checked by package validate, kinds of policies by package
// policy; what needs more than one object (references that exist, matches that tie) is the control
// plane's.
//
// Data flows JSON → Decode → message → Validate → Stored on the way in, FromStored → message →
// Encode on the way out, and FromStored → Defaulted → Compile on a node.
package resource
