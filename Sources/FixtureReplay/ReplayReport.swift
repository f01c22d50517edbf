/// What came of replaying recordings, in the order of the records.
public struct ReplayReport: Sendable {
    /// What came of one exchange.
    public enum Outcome: Hashable, Sendable {
        /// The answer was the recorded one, but for what varies.
        case equal
        /// It was not, and is not meant to be.
        case expected(reason: String, [Difference])
        /// It was not.
        case different([Difference])
        /// It was not sent; the text says why.
        case skipped(String)
    }

    /// One exchange and what came of it.
    public struct Entry: Sendable {
        /// As recorded.
        public var exchange: RecordedExchange
        /// What came of it.
        public var outcome: Outcome
    }

    /// Every exchange of the selection, in the order of the records.
    public internal(set) var entries: [Entry] = []
    /// Lines that hold no record.
    public internal(set) var flaws: [Recording.Flaw] = []
    /// Expectations that no difference needed: perhaps they are out of date.
    public internal(set) var unusedExpectations: [Expectations.Entry] = []

    init() {}

    /// The differences that are not expected.
    public var differences: [Difference] {
        entries.flatMap { entry -> [Difference] in
            if case .different(let differences) = entry.outcome { differences } else { [] }
        }
    }

    /// Exchanges of the selection.
    public var exchangeCount: Int { entries.count }
    /// Exchanges with the recorded answer.
    public var equalCount: Int { entries.count { $0.outcome == .equal } }
    /// Exchanges that differ as they are meant to.
    public var expectedCount: Int {
        entries.count { if case .expected = $0.outcome { true } else { false } }
    }
    /// Exchanges that differ.
    public var differentCount: Int {
        entries.count { if case .different = $0.outcome { true } else { false } }
    }
    /// Exchanges that were not sent.
    public var skippedCount: Int {
        entries.count { if case .skipped = $0.outcome { true } else { false } }
    }

    /// All counts in one line.
    public var summary: String {
        "\(exchangeCount) exchanges, \(equalCount) equal, \(expectedCount) expected differences, "
            + "\(differentCount) differences, \(skippedCount) skipped"
    }
}
