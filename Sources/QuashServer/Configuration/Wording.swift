/// `text` in quotes, on one line; what is very long is cut.
package func quoted(_ text: String) -> String {
    let isLong = text.unicodeScalars.count > ConfigurationLimits.maxQuotedCharacters
    let shown = isLong ? String(text.unicodeScalars.prefix(ConfigurationLimits.maxQuotedCharacters)) + "…" : text
    return "\"\(printable(shown))\""
}

/// `text` with every character spelled out that would not be seen: control characters, also those that end a line in
/// some viewers or turn its direction around.
package func printable(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for character in text.unicodeScalars {
        if character.properties.generalCategory.isInvisible {
            result.append(contentsOf: "\\u{\(String(character.value, radix: 16))}".unicodeScalars)
        } else {
            result.append(character)
        }
    }
    return String(result)
}

extension Unicode.GeneralCategory {
    fileprivate var isInvisible: Bool {
        switch self {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}

/// The one of `names` that `text` most likely was meant to be: at most a third of its characters were mistyped.
///
/// O(names × length²) for names of some tens of characters; a longer text has no near name.
func nearest(to text: String, among names: some Sequence<String>) -> String? {
    guard text.utf8.count <= 64 else { return nil }
    let candidates = names.map { (name: $0, distance: editDistance(text.lowercased(), $0.lowercased())) }
    guard let best = candidates.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, best.name.utf8.count / 3) ? best.name : nil
}

/// How many single bytes must be inserted, removed or replaced, or neighbours exchanged, to make one of the other
/// (Damerau–Levenshtein in its restricted form, "optimal string alignment").
func editDistance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            let replaced = previous[column] + (left[row] == right[column] ? 0 : 1)
            var best = min(replaced, previous[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                best = min(best, beforePrevious[column - 1] + 1)
            }
            current.append(best)
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[right.count]
}
