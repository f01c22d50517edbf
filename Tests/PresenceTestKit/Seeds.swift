/// Seeds of the simulated world.
public enum Seeds {
    /// Tried on every run of the tests.
    public static let fixed: [UInt64] = Array(1...200)

    /// The seeds in the text of a file of them: one decimal number a line; `#` begins a comment, blank lines are none.
    ///
    /// - Throws: ``SeedsError`` for a line that is neither.
    public static func read(_ text: String) throws(SeedsError) -> [UInt64] {
        var seeds: [UInt64] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
            guard !content.isEmpty else { continue }
            guard let seed = UInt64(content) else { throw SeedsError(line: index + 1, text: String(line)) }
            seeds.append(seed)
        }
        return seeds
    }
}

/// A line of a file of seeds that holds something else.
public struct SeedsError: Error, Hashable, Sendable {
    /// Counted from 1.
    public var line: Int
    /// What the line holds.
    public var text: String

    /// A line and its number.
    public init(line: Int, text: String) {
        self.line = line
        self.text = text
    }
}
