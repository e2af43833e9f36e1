// Package openapi reads API descriptions (OpenAPI 3.0.x and 3.1.x) and holds requests and answers against them. Both planes use it: the control plane
// refuses a description that a node couldn't enforce, and plans routes from it; nodes enforce it.
//
// It owns the document's form and its bounds ([Compile]), the templates of its paths ([Description.Match]), the styles in which parameters are written, and the evaluation
// of schemas. It owns no message, no policy, and neither the reading nor the parsing of a body: a body comes in as a [Value], parsed once for everybody who needs it.
//
//	text → document (JSON or YAML, bounded) → schemas (JSON Schema 2020-12, compiled by jsonschema) → rules → Description
//
// Schemas are compiled by a library, which holds them against the metaschema, and are evaluated here: a caller picks the values that are evaluated, and so what that
// costs. Each evaluation has a number of steps that grows with the size of the value and with nothing else; whoever exceeds it has broken the schema. It stops at
// [MaxBreaches] places, never quotes a value, compares numbers as they are written, and compiles nothing. OpenAPI 3.0's dialect is translated to 2020-12 before.
//
// What could be read in two ways is refused when the description is written, with a pointer to the place: references that leave the document, identifiers that
// change what a reference means, templates that match the same paths, fields that OpenAPI doesn't have where they stand.
package openapi
