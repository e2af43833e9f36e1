// Package validate holds messages to the field rules of their .proto files (protovalidate) and
// says what breaks them in the product's own words.
//
// It owns the one compiled validator and the translation of its findings into violations with JSON
// pointers. It does not own rules that need code: those are the Check of a resource type and the
// Validate of a policy kind. It fills in no defaults.
package validate
