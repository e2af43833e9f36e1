// Package sdk is the root of what outsiders import: a Go client of the admin API in sallyport/, and the
// command-line tool in cmd/sallyport. It is a module of its own with few dependencies, and imports
// nothing of the product.
package sdk
