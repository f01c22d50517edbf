/// A world of the simulation: a seed, and how long it runs before it heals.
public struct SeededRun: Hashable, Sendable, CustomStringConvertible {
    /// See ``Simulation/run(seed:hours:servers:)``.
    public var seed: UInt64
    /// Simulated hours before the network heals.
    public var hours: Double

    /// A run as given.
    public init(seed: UInt64, hours: Double = Seeds.usualHours) {
        self.seed = seed
        self.hours = hours
    }

    /// As in a file of seeds.
    public var description: String { hours == Seeds.usualHours ? "\(seed)" : "\(seed) \(hours)" }
}

/// Seeds of the simulated world.
public enum Seeds {
    /// Hours of a run that names none.
    public static let usualHours = 0.25

    /// Tried on every run of the tests.
    public static let fixed = (UInt64(1)...200).map { SeededRun(seed: $0) }

    /// The runs in the text of a file of them: a decimal number a line, and hours behind it if they are not
    /// ``usualHours``; `#` begins a comment, blank lines are none.
    ///
    /// - Throws: ``SeedsError`` for a line that is neither.
    public static func read(_ text: String) throws(SeedsError) -> [SeededRun] {
        var runs: [SeededRun] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let first = words.first else { continue }
            let hours = words.count > 1 ? Double(words[1]) : usualHours
            guard words.count <= 2, let seed = UInt64(first), let hours, hours > 0 else {
                throw SeedsError(line: index + 1, text: String(line))
            }
            runs.append(SeededRun(seed: seed, hours: hours))
        }
        return runs
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
