import Dispatch
import GRDB
import PresenceModel
import Testing

@testable import PresenceStore

@Suite(.timeLimit(.minutes(1))) struct CommitTests {
    private let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    @Test(arguments: PresenceStore.Configuration.Synchronous.allCases)
    func `what was settled is on disk`(mode: PresenceStore.Configuration.Synchronous) async throws {
        let store = try folder.open(.patient) { $0.synchronous = mode }
        for number in 0..<20 {
            store.append([try status("u\(number)", "t\(number)")])
            try await store.settle()
            let texts = try folder.texts()
            #expect(texts.count == number + 1 && texts["@u\(number):x"] == "t\(number)")
        }
        try await store.close()
    }

    @Test func `a copy taken right after a settle opens and has the rows`() async throws {
        let store = try folder.open()
        for round in 1...5 {
            store.append(try (0..<100).map { try status("r\(round)-\($0)", "t") })
            try await store.settle()
            let copy = try folder.crashed()
            let survivor = try PresenceStore(path: copy)
            #expect(try survivor.load().presence.statuses.count == 100 * round)
            try await survivor.close()
        }
        try await store.close()
    }

    @Test func `a settle without rows returns at once and writes nothing`() async throws {
        let store = try folder.open()
        try await store.settle()
        store.append([])
        try await store.settle()
        #expect(store.tally.commits == 0)
        try await store.close()
    }

    @Test func `while one transaction runs the next group gathers, and all of it shares one`() async throws {
        let (entered, entering) = AsyncStream.makeStream(of: UInt64.self)
        let gate = DispatchSemaphore(value: 0)
        var surroundings = PresenceStore.Surroundings.patient
        surroundings.beforeCommit = { number in
            entering.yield(number)
            if number == 1 { gate.wait() }
        }
        let store = try folder.open(surroundings)
        store.append([try status("first", "t")])
        let first = Task { try await store.settle() }
        var transactions = entered.makeAsyncIterator()
        #expect(await transactions.next() == 1)
        for number in 0..<199 { store.append([try status("u\(number)", "t")]) }
        #expect(store.tally.rowsPending == 200)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<199 { group.addTask { try await store.settle() } }
            gate.signal()
            try await group.waitForAll()
        }
        try await first.value
        #expect(store.tally.commits == 2)
        #expect(store.tally.rowsWritten == 200)
        #expect(try folder.texts().count == 200)
        try await store.close()
    }

    @Test func `many who append and settle at once all find their rows on disk`() async throws {
        let store = try folder.open()
        let folder = folder
        try await withThrowingTaskGroup(of: Void.self) { group in
            for waiter in 0..<50 {
                group.addTask {
                    for round in 0..<10 {
                        store.append([try status("u\(waiter)", "\(round)")])
                        try await store.settle()
                        guard round % 5 == 0 else { continue }
                        #expect(try folder.texts()["@u\(waiter):x"] == "\(round)")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(store.tally.rowsPending == 0)
        #expect(try store.loadedTexts().values.allSatisfy { $0 == "9" })
        try await store.close()
    }

    @Test func `without a settle rows are written when the write-behind time is over`() async throws {
        let (delays, delaying) = AsyncStream.makeStream(of: Duration.self)
        let (entered, entering) = AsyncStream.makeStream(of: UInt64.self)
        let (gate, opening) = AsyncStream.makeStream(of: Void.self)
        let surroundings = PresenceStore.Surroundings(
            delay: { duration in
                delaying.yield(duration)
                var iterator = gate.makeAsyncIterator()
                await iterator.next()
            }, beforeCommit: { entering.yield($0) })
        let store = try folder.open(surroundings) { $0.writeBehind = .milliseconds(750) }
        var asked = delays.makeAsyncIterator()
        var transactions = entered.makeAsyncIterator()
        for round in UInt64(1)...3 {
            store.append([try status("a", "\(round)")])
            store.append([try status("b", "\(round)")])
            #expect(await asked.next() == .milliseconds(750))
            opening.yield()
            #expect(await transactions.next() == round)
            // Loading takes its turn behind the transaction.
            #expect(try store.loadedTexts() == ["@a:x": "\(round)", "@b:x": "\(round)"])
        }
        #expect(store.tally.commits == 3)
        try await store.close()
    }

    @Test func `close writes the rest, and what comes after it is refused aloud`() async throws {
        let store = try folder.open()
        store.append([try status("a", "last words")])
        try await store.close()
        #expect(try folder.texts() == ["@a:x": "last words"])
        try await store.close()
        try await store.settle()
        store.append([try status("b", "too late")])
        let settling = await #expect(throws: PresenceStoreError.self) { try await store.settle() }
        let loading = #expect(throws: PresenceStoreError.self) { try store.load() }
        let booting = #expect(throws: PresenceStoreError.self) { try store.nextBoot() }
        #expect([settling?.code, loading?.code, booting?.code] == [.closed, .closed, .closed])
    }
}
