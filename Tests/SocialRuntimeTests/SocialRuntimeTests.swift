import PresenceModel
import PresenceRuntime
import SocialEngine
import Testing

@testable import SocialService

@Suite(.timeLimit(.minutes(1))) struct `The population` {
    private let clock = HandClock()
    private let outside = NotedOutside()

    private func population(
        _ journal: HeldJournal = HeldJournal(), _ adjust: (inout SocialEngine.Configuration) -> Void = { _ in }
    ) -> SocialRuntime {
        var configuration = SocialEngine.Configuration()
        adjust(&configuration)
        return SocialRuntime(
            engine: SocialEngine(process: 1, configuration: configuration), clock: clock, journal: journal,
            outside: outside)
    }

    private func befriend(_ runtime: SocialRuntime, _ one: String, _ other: String) async throws {
        _ = try await runtime.act(.request(message: nil), by: address(one), towards: address(other))
        _ = try await runtime.act(.accept, by: address(other), towards: address(one))
    }

    @Test func `answers an action when it is on disk, and not before`() async throws {
        let journal = HeldJournal(isOpen: false)
        let runtime = population(journal)
        let (ann, bob) = (try address("ann"), try address("bob"))
        let acting = Task { try await runtime.act(.request(message: "hi"), by: ann, towards: bob) }
        await journal.waits(for: 1)
        #expect(await runtime.requests(of: bob).incoming.isEmpty)
        journal.open()
        let news = try await acting.value
        #expect(news.other == bob && news.isOwn)
        #expect(await runtime.requests(of: bob).incoming.map(\.message) == ["hi"])
        #expect(journal.written.count == 2)
    }

    @Test func `refuses what was not written, and nothing happened`() async throws {
        let journal = HeldJournal()
        journal.open(failing: true)
        let runtime = population(journal)
        let (ann, bob) = (try address("ann"), try address("bob"))
        await #expect(throws: FriendshipRefusal.notStored) {
            try await runtime.act(.request(message: nil), by: ann, towards: bob)
        }
        await #expect(throws: FriendshipRefusal.notStored) { try await runtime.setPrivacy(of: ann, to: .hidden) }
        #expect(await runtime.requests(of: ann).outgoing.isEmpty)
        #expect(await runtime.privacy(of: ann) == .full)
        journal.open()
        try await runtime.setPrivacy(of: ann, to: .hidden)
        #expect(await runtime.privacy(of: ann) == .hidden)
    }

    @Test func `hands each subscriber what it is due, and ends with the session`() async throws {
        let runtime = population()
        let (ann, bob) = (try address("ann"), try address("bob"))
        let session = SocialSessionID(1)
        let news = await runtime.friendshipUpdates(for: ann, on: session)
        let presence = await runtime.presenceUpdates(for: ann, on: session)
        try await befriend(runtime, "bob", "ann")
        var newsReader = news.makeAsyncIterator()
        let told = await newsReader.next(isolation: nil)
        #expect(told?.map(\.other) == [bob, bob] && told?.map(\.isOwn) == [false, true])
        var presenceReader = presence.makeAsyncIterator()
        #expect(
            await presenceReader.next(isolation: nil)
                == PresenceBatch(sightings: [], isSnapshot: true, hasMore: false))
        await runtime.heartbeat(of: bob, on: SocialSessionID(2), whereabouts: nil)
        let shown = await presenceReader.next(isolation: nil)
        #expect(shown?.sightings == [FriendSighting(friend: bob, state: .online, whereabouts: nil)])
        await runtime.sessionEnded(session)
        #expect(await presenceReader.next(isolation: nil) == nil)
        #expect(await newsReader.next(isolation: nil) == nil)
        #expect(await runtime.onlineFriends(of: ann) == [bob])
        #expect(outside.all == ["room ann bob", "+bob"])
    }

    @Test func `lets go of a subscription whose reader was cancelled, or that nobody holds`() async throws {
        let runtime = population()
        let ann = try address("ann")
        let reading = Task {
            var count = 0
            for await _ in await runtime.presenceUpdates(for: ann, on: SocialSessionID(1)) { count += 1 }
            return count
        }
        while await runtime.read({ engine, _ in engine.counts.subscriptions }) == 0 { await Task.yield() }
        reading.cancel()
        _ = await reading.value
        do { _ = await runtime.friendshipUpdates(for: ann, on: SocialSessionID(2)) }
        while await runtime.read({ engine, _ in engine.counts.subscriptions }) > 0 { await Task.yield() }
        #expect(await runtime.read { engine, _ in engine.counts.users } == 0)
    }

    @Test func `expires users by itself`() async throws {
        let runtime = population { $0.offlineAfter = .milliseconds(20) }
        let (ann, bob) = (try address("ann"), try address("bob"))
        try await befriend(runtime, "ann", "bob")
        await runtime.heartbeat(of: bob, on: SocialSessionID(2), whereabouts: nil)
        var reader = await runtime.presenceUpdates(for: ann, on: SocialSessionID(1)).makeAsyncIterator()
        #expect(await reader.next(isolation: nil)?.sightings.map(\.state) == [.online])
        clock.advance(by: .seconds(1))
        #expect(await reader.next(isolation: nil)?.sightings.map(\.state) == [.offline])
    }

    @Test func `stops when what is being written is written, and ends all subscriptions`() async throws {
        let journal = HeldJournal(isOpen: false)
        let runtime = population(journal)
        let (ann, bob) = (try address("ann"), try address("bob"))
        var reader = await runtime.friendshipUpdates(for: ann, on: SocialSessionID(1)).makeAsyncIterator()
        let acting = Task { try await runtime.act(.request(message: nil), by: ann, towards: bob) }
        await journal.waits(for: 1)
        let stopping = Task { await runtime.stop() }
        #expect(await reader.next(isolation: nil) == nil)
        journal.open()
        await stopping.value
        _ = try await acting.value
        await #expect(throws: FriendshipRefusal.notStored) { try await runtime.act(.block, by: ann, towards: bob) }
        let late = await runtime.presenceUpdates(for: ann, on: SocialSessionID(3))
        var lateReader = late.makeAsyncIterator()
        #expect(await lateReader.next(isolation: nil) == nil)
    }
}
