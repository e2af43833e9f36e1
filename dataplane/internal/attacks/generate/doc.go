// Command generate draws the attacks out of the Core Rule Set's regression tests, for package attacks.
//
// Of each test that expects its rule to find something it takes every value that the request carries: arguments of the query and of forms, leaves of
// JSON, cookies, fields of the header beside the usual ones, and other bodies whole. Which of them is the attack the test doesn't say: one that no rule
// finds is not an attack to whoever tries it.
package main
