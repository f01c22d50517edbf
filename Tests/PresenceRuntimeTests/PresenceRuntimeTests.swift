import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import PresenceTestKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct `The runtime` {
    @Test func `a choice is on disk before its answer leaves`() async throws {
        let log = Log()
        let journal = GatedJournal(isOpen: false, log: log)
        let runtime = try await PresenceRuntime.started(journal: journal)
        let alice = try device("alice")
        let choice = Task {
            try await runtime.choose(.busy, text: "tea", on: alice)
            log.add("answered")
            journal.open()
        }
        await journal.waitsForCommit()
        // Others see it already, but nobody was told that it is safe.
        let shown = await runtime.read { engine, _ in engine.presence(of: alice.user, seenBy: alice.user) }
        #expect(shown != .visible(.known(.neverActive)))
        #expect(log.all.isEmpty)
        journal.open()
        try await choice.value
        #expect(log.all == ["settled", "answered"])
        let isSaved = journal.records.contains { record in
            guard case .presence(.status(let user, let status)) = record else { return false }
            return user == alice.user && status.chosen == .busy && status.statusText == "tea"
        }
        #expect(isSaved)
    }

    @Test func `entries are on disk before their answers leave`() async throws {
        let log = Log()
        let journal = GatedJournal(log: log)
        let runtime = try await PresenceRuntime.started(journal: journal)
        let (alice, bob) = (try local("alice"), try local("bob"))
        await runtime.submit(.presence(.userKnown(bob)))
        try await runtime.perform(.entryAdded(observer: alice, observed: bob, note: nil, acl: nil))
        #expect(log.all.count == 1)
        #expect(await runtime.read { engine, _ in engine.list(of: alice).map(\.user) } == [bob])
        #expect(await runtime.read { engine, _ in engine.requests(to: bob).map(\.user) } == [alice])
        try await runtime.perform(.entryRemoved(observer: alice, observed: bob))
        #expect(log.all.count == 2)
        #expect(await runtime.read { engine, _ in engine.list(of: alice).isEmpty && engine.requests(to: bob).isEmpty })
        await #expect(throws: PresenceEngine.Refusal.oneself) {
            try await runtime.perform(.entryAdded(observer: alice, observed: alice, note: nil, acl: nil))
        }
    }

    @Test func `a disk that fails is told to who waits for it`() async throws {
        let journal = GatedJournal()
        let runtime = try await PresenceRuntime.started(journal: journal)
        journal.fail()
        await #expect(throws: GatedJournal.Failure.self) {
            try await runtime.choose(.busy, text: nil, on: try device("alice"))
        }
        let alice = try local("alice")
        #expect(await runtime.read { engine, _ in engine.presence(of: alice, seenBy: alice) } != .forbidden)
    }

    @Test func `a transaction leaves when what it promises is on disk`() async throws {
        let log = Log()
        let journal = GatedJournal(isOpen: false, log: log)
        let delivery = ScriptedDelivery(log: log)
        let runtime = try await PresenceRuntime.started(journal: journal, delivery: delivery)
        let (alice, bob) = (try local("alice"), try remote("bob"))
        let room = try RoomID(parsing: "!a:here.example")
        for user in [alice, bob] { await runtime.submit(.presence(.roomJoined(user, room))) }
        async let first = delivery.arrivals.first { _ in
            journal.open()
            return true
        }
        await journal.waitsForCommit()
        #expect(log.all.isEmpty)
        journal.open()
        let arrival = try #require(await first)
        #expect(log.all.first == "settled")
        #expect(arrival.transaction.pushed == [alice])
        arrival.answer.resume(returning: .delivered)
    }

    @Test func `what became of a transaction flows back`() async throws {
        let (clock, delivery) = (HandClock(), ScriptedDelivery())
        let runtime = try await PresenceRuntime.started(clock: clock, delivery: delivery)
        var arrivals = delivery.arrivals.makeAsyncIterator()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        let room = try RoomID(parsing: "!a:here.example")
        for user in [alice, bob] { await runtime.submit(.presence(.roomJoined(user, room))) }
        let first = try #require(await arrivals.next())
        // Something urgent waits behind it, and leaves when the first was delivered.
        await runtime.submit(.presence(.entryAdded(observer: alice, observed: bob, note: nil, acl: nil)))
        await runtime.submit(
            .presence(.permissionReceived(PermissionMessage(.accept, observed: bob, observer: alice))))
        await runtime.submit(.presence(.deviceSeen(try device("alice"))))
        first.answer.resume(returning: .delivered)
        let second = try #require(await arrivals.next())
        #expect(second.transaction.polled == [bob])
        #expect(second.transaction.presence(of: alice)?.state == .online)
        second.answer.resume(returning: .failed(.unanswered(after: nil)))
        // A sign of life: the same again, at once.
        let deadline = ContinuousClock.now + .seconds(50)
        while await runtime.tally.retries == 0, ContinuousClock.now < deadline {
            await Task.yield()
            await runtime.submit(
                .federation(.received(from: bob.server, transaction: "\(clock.now)", [])))
            clock.move(by: .milliseconds(1))
        }
        let third = try #require(await arrivals.next())
        #expect(third.transaction == second.transaction)
        third.answer.resume(returning: .delivered)
        #expect(await runtime.tally.transactionsSent == 2)
    }

    @Test func `the sleeper meets the next deadline by itself`() async throws {
        var configuration = PresenceEngine.Configuration()
        configuration.offlineAfter = .milliseconds(20)
        let runtime = try await PresenceRuntime.started(
            clock: AnchoredClock(wallMilliseconds: 1_700_000_000_000), configuration: configuration)
        let (alice, bob) = (try local("alice"), try local("bob"))
        for user in [alice, bob] { try await runtime.perform(.userKnown(user)) }
        try await runtime.perform(.entryAdded(observer: bob, observed: alice, note: nil, acl: nil))
        try await runtime.perform(.entryAdded(observer: alice, observed: bob, note: nil, acl: nil))
        let stream = await runtime.openStream(on: try device("bob"))
        await runtime.submit(.presence(.deviceSeen(try device("alice"))))
        var position: PresenceRuntime.StreamPosition?
        var states: [PublishedState] = []
        for await _ in stream.wakes {
            let batch = await runtime.changes(for: bob, on: stream.id, since: position)
            position = batch.position
            for case .known(let presence) in batch.sightings.filter({ $0.user == alice }).map(\.knowledge) {
                states.append(presence.state)
            }
            if states.last == .offline { break }
        }
        #expect(states.last == .offline)
    }
}

@Suite(.timeLimit(.minutes(1))) struct `Streams of the runtime` {
    @Test func `stopping ends the streams and writes what is left`() async throws {
        let log = Log()
        let runtime = try await PresenceRuntime.started(journal: GatedJournal(log: log))
        let stream = await runtime.openStream(on: try device("alice"))
        try await runtime.stop()
        #expect(log.all == ["settled"])
        for await _ in stream.wakes {}
        let batch = await runtime.changes(for: try local("alice"), on: stream.id, since: nil)
        #expect(batch.isOver && batch.sightings.isEmpty)
        // Whoever comes too late finds it over.
        let late = await runtime.openStream(on: try device("alice"))
        for await _ in late.wakes {}
    }

    @Test func `several wakes that nobody listens to are one`() async throws {
        let runtime = try await PresenceRuntime.started()
        let stream = await runtime.openStream(on: try device("alice"))
        for text in ["1", "2", "3"] { try await runtime.choose(.online, text: text, on: try device("alice")) }
        await runtime.closeStream(stream.id)
        var wakes = 0
        for await _ in stream.wakes { wakes += 1 }
        #expect(wakes == 1)
    }

    @Test func `a device that is revoked finds its stream over`() async throws {
        let runtime = try await PresenceRuntime.started()
        let stream = await runtime.openStream(on: try device("alice"))
        await runtime.submit(.presence(.deviceRevoked(try device("alice"))))
        var wakes = stream.wakes.makeAsyncIterator()
        #expect(await wakes.next() != nil)
        #expect(await runtime.changes(for: try local("alice"), on: stream.id, since: nil).isOver)
    }

    @Test func `a position of another run shows everyone anew`() async throws {
        let runtime = try await PresenceRuntime.started(boot: 7)
        let alice = try local("alice")
        let stream = await runtime.openStream(on: try device("alice"))
        try await runtime.choose(.busy, text: nil, on: try device("alice"))
        let first = await runtime.changes(for: alice, on: stream.id, since: nil)
        #expect(first.own?.chosen == .busy && first.position.boot == 7 && !first.isOver)
        let position = first.position
        #expect(await runtime.changes(for: alice, on: stream.id, since: position).isEmpty)
        var ahead = position.reached
        ahead.version += 1
        for stranger in [
            PresenceRuntime.StreamPosition(boot: 6, reached: position.reached),
            PresenceRuntime.StreamPosition(boot: 7, reached: ahead),
        ] {
            let batch = await runtime.changes(for: alice, on: stream.id, since: stranger)
            #expect(batch.own?.chosen == .busy)
        }
    }
}
