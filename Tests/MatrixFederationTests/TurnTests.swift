import PresenceModel
import Testing

@testable import MatrixFederation

struct `Turns of servers to be tried` {
    private var queue = TurnQueue(limits: [.answering: 4, .untried: 2, .failing: 1])
    private let names: [ServerName]

    init() throws { names = try (0..<10).map { try ServerName(parsing: "s\($0).org") } }

    @Test mutating func `are bounded, and go in the order of asking`() {
        #expect(queue.ask(for: names[0], ticket: 1) == .untried && queue.ask(for: names[1], ticket: 2) == .untried)
        #expect(queue.ask(for: names[2], ticket: 3) == nil && queue.ask(for: names[3], ticket: 4) == nil)
        #expect(queue.end(.untried) == [.init(ticket: 3, kind: .untried)])
        #expect(queue.end(.untried) == [.init(ticket: 4, kind: .untried)])
        #expect(queue.end(.untried) == [] && queue.end(.untried) == [])
    }

    @Test mutating func `of those that did not answer do not delay those that did`() {
        for name in names[0..<5] { #expect(queue.note(name, answered: false) == []) }
        #expect(queue.ask(for: names[0], ticket: 1) == .failing && queue.ask(for: names[1], ticket: 2) == nil)
        #expect(queue.ask(for: names[6], ticket: 3) == .untried)
        #expect(queue.note(names[7], answered: true) == [])
        #expect(queue.ask(for: names[7], ticket: 4) == .answering)
    }

    @Test mutating func `come at once for who is heard of`() {
        for name in names[0..<3] { #expect(queue.note(name, answered: false) == []) }
        #expect(queue.ask(for: names[0], ticket: 1) == .failing)
        #expect(queue.ask(for: names[1], ticket: 2) == nil && queue.ask(for: names[2], ticket: 3) == nil)
        #expect(queue.note(names[2], answered: true) == [.init(ticket: 3, kind: .answering)])
        #expect(queue.end(.failing) == [.init(ticket: 2, kind: .failing)])
    }

    @Test func `are not waited for when everything ends`() async throws {
        let turns = AttemptTurns(limit: 1)
        turns.note(names[0], answered: false)
        #expect(await turns.wait(for: names[0]) == .failing)
        let name = names[0]
        let waiting = Task { await turns.wait(for: name) }
        while turns.waiting == 0 { await Task.yield() }
        turns.close()
        #expect(await waiting.value == nil)
        #expect(await turns.wait(for: name) == nil)
    }
}
