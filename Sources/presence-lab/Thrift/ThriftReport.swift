import Foundation

/// A comparison as text.
struct ThriftReport {
    private static let titleWidth = 30
    private static let cellWidth = 24

    let comparison: ThriftComparison

    var text: String { ([world] + comparison.outcomes.map(section)).joined(separator: "\n\n") }

    private var world: String {
        let population = comparison.population
        let scale = comparison.plan.scale
        let entries = population.contacts.reduce(0) { $0 + $1.count }
        let links = ThriftLinks(of: population, rooms: []).servers.count
        let roomLinks = ThriftLinks(of: population, rooms: population.rooms).servers.count
        let largest = population.rooms.map(\.count).max() ?? 0
        func perUser(_ count: Int) -> String { String(format: "%.1f", Double(count) / Double(max(scale.users, 1))) }
        return """
            \(scale.servers) servers, \(scale.users) users, \(scale.hours) h, seed \(scale.seed), \
            \(comparison.day.acts.count) acts of users
            \(entries) list entries; contacts of a user on \(perUser(links)) other servers on average; with the members \
            of public rooms \(perUser(roomLinks))
            \(population.rooms.count) public rooms, the largest with \(largest) members
            """
    }

    private func section(_ outcome: ThriftComparison.Outcome) -> String {
        let limit = comparison.plan.roomLimit
        let title =
            outcome.scenario == .contacts
            ? "Contacts only"
            : limit == 0
                ? "With public rooms, which presenced is not told of"
                : "With public rooms; presenced is told of those with up to \(limit) members"
        let ours = outcome.presenced.tally
        let columns = [
            ("presenced", ours), ("Synapse", outcome.synapse.polling),
            ("Synapse, silent clients", outcome.synapse.silent),
        ]
        func line(_ title: String, _ cell: (ThriftTally) -> String) -> String {
            row(title, columns.map { cell($0.1) })
        }
        let lines = [
            title, row("", columns.map(\.0)), line("transactions") { "\($0.transactions)" },
            line("EDUs") { "\($0.edus)" }, line("states") { "\($0.states)" },
            line("bytes of bodies") { "\($0.bodyBytes)" }, line("bytes in all") { "\($0.bytes)" },
            line("times the transactions") { ratio($0.transactions, ours.transactions) },
            line("times the bytes") { ratio($0.bytes, ours.bytes) },
            line("staleness, median") { "\($0.staleness.seconds(0.5)) s" },
            line("staleness, 99 %") { "\($0.staleness.seconds(0.99)) s" },
            line("staleness, longest") { "\(Double($0.staleness.longestMilliseconds) / 1000) s" },
            line("changes shown to observers") { "\($0.staleness.shown)" },
            line("superseded before") { String(format: "%.2f %%", $0.staleness.supersededShare * 100) },
            line("digest") { $0.fingerprint },
        ]
        return (lines + causes(outcome.presenced)).joined(separator: "\n")
    }

    private func causes(_ presenced: ThriftComparison.Subscribing) -> [String] {
        let head = row("where they go", ["transactions", "share", "states", "bytes"])
        let lines = ThriftCause.allCases.map { cause in
            let line = presenced.causes[cause]
            let share = Double(line.transactions) * 100 / Double(max(presenced.tally.transactions, 1))
            return row(
                cause.words,
                ["\(line.transactions)", String(format: "%.1f %%", share), "\(line.states)", "\(line.bytes)"])
        }
        return [head] + lines + [
            row("digests, alone or not", ["\(presenced.causes.digests)"]),
            row("users polled or unpolled", ["\(presenced.causes.mentions)"]),
        ]
    }

    private func row(_ title: String, _ cells: [String]) -> String {
        let padded = cells.map { pad($0, to: ThriftReport.cellWidth) }.joined()
        let line = "  " + pad(title, to: ThriftReport.titleWidth) + padded
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private func pad(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 1))
    }

    private func ratio(_ left: UInt64, _ right: UInt64) -> String {
        right == 0 ? "-" : String(format: "%.1f", Double(left) / Double(right))
    }
}
