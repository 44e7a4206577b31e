// Package recipes holds code that users copy from the documents: sessionkit together with other
// libraries, and moving an app's logins from them. Each recipe is a test.
package recipes
