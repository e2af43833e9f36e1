// Command specgen writes the admin API's OpenAPI document, openapi.json, for go generate.
//
// It owns the joining: the frame and the paths come from ../spec (written by hand; the paths of a plain
// collection once, as a template), every schema of a message from its .proto file through
// proto/resource. It decides nothing about either, refuses two definitions of one name, and writes the
// same bytes for the same input.
package main
