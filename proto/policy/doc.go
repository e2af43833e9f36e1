// Package policy says what a kind of policy is: the contract that control plane and edge share.
//
// It owns [Kind] (name, configuration message, phase, traits, deep validation), the order of the
// phases, and [Define], which makes a Kind from typed functions. It does not own any kind: each has
// a package of its own below this one, and kinds lists them. It knows nothing of requests: the
// stage that enforces a kind lives in the edge.
//
// Data flows one way: a kind's message (sallyport.policy.v1) → its contract here → the lists that
// the control plane validates with and the edge compiles with.
//
// To add a kind, write two folders and two lines:
//
//  1. proto/sallyport/policy/v1/<kind>.proto holds its message (comments are the user's
//     documentation, limits are protovalidate's, defaults are options), and proto/policy/<kind>/
//     its Kind, made by Define, with testdata/valid and testdata/invalid.
//  2. dataplane/internal/policies/<kind>/ holds its stage.
//  3. One line in proto/policy/kinds names the contract, one line in the edge's list the stage.
//
// Nothing else changes: storage, validation, API schema, documentation and form come from the
// contract. The tests of kinds fail until the new one is documented and has its fixtures.
package policy
