// Package tests is the root of the black-box tests: they start the built binaries and watch them from
// outside. It is a module of its own, so that its dependencies never reach the product. It imports the
// contract (proto), the client (sdk) and what starts a database (deploy/local), and nothing else of ours.
package tests
