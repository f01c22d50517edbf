/// What an unknown key may have been meant to be.
enum NearestName {
    /// The key or section that `path` probably means: one spelled nearly so in the same section, but one of that very
    /// name elsewhere goes before what takes more than a letter; `nil` if nothing is near.
    static func suggestion(for path: String, among known: [String]) -> String? {
        let parts = path.split(separator: ".")
        guard let name = parts.last.map(String.init) else { return nil }
        let section = parts.dropLast().joined(separator: ".")
        let siblings = known.filter { parent(of: $0) == section }
        let near = siblings.map { (path: $0, distance: distance(name, lastPart(of: $0))) }
            .filter { $0.distance <= max(1, name.count / 3) }
            .min { ($0.distance, $0.path) < ($1.distance, $1.path) }
        // The least deep, and of those the first.
        let namesake = known.filter { lastPart(of: $0) == name }.min { depth(of: $0) < depth(of: $1) }
        if let near, near.distance <= 1 { return near.path }
        return namesake ?? near?.path
    }

    /// How many characters must be put in, taken out, changed or swapped with their neighbour.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            for j in right.indices {
                let change = last[j] + (left[i] == right[j] ? 0 : 1)
                var best = min(change, last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            (beforeLast, last) = (last, row)
        }
        return last[right.count]
    }

    private static func parent(of path: String) -> String {
        path.split(separator: ".").dropLast().joined(separator: ".")
    }

    private static func depth(of path: String) -> Int { path.count { $0 == "." } }

    private static func lastPart(of path: String) -> String { path.split(separator: ".").last.map(String.init) ?? "" }
}
