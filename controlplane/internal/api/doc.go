// Package api is the admin REST face: HTTP in front, domains behind.
//
// It owns how requests are read and answers written: authentication and permission before anything
// else, strict query parameters, bounded bodies of the right type, headers (ETag, Location,
// Sallyport-*), lists, problems, and the one OpenAPI document. It decides nothing about what it passes
// on: objects are checked and written by publish, read from catalog and directory, and every body, both
// ways, goes through the codec in proto/resource. Timeouts of connections are those of the server that
// it is handed to.
//
// The contract is openapi.json, which specgen joins from spec/ (paths, by hand) and the .proto files
// (schemas). It is also what the server runs by: paths, permissions, query parameters, media types and
// body limits of an operation are read from it when the server is made. An operation without a
// handler, or without a known permission, or a handler without an operation, is an error of [New]; so
// the document can't promise what isn't served, nor can anything be served that it doesn't name.
//
// A request goes this way:
//
//  1. frame: request id, security headers, access log, panic guard;
//  2. admit: token or session → actor → permission of the operation (none: refused), held where the operation is: everywhere, in the
//     environment that the path names, or for a team of it (x-binding); then the handlers show that team's objects alone;
//  3. strict: query parameters, content type and size of the body, as the document has them;
//  4. the handler: domain, then answer. An error becomes a problem in one place, [Server.writeError].
package api

//go:generate go run ./specgen
