package drill

import "testing"

func shiftable(t *testing.T) string { return "" }
