import GRDB
import PresenceModel
import Synchronization
import Testing

@testable import PresenceStore

@Suite(.timeLimit(.minutes(1))) struct FailureTests {
    private let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    @Test(arguments: UInt64(1)...6) func `whichever write fails, nothing is lost and nothing is half`(failing: UInt64)
        async throws
    {
        let store = try folder.open(.failing { $0 == failing })
        for round in UInt64(1)...6 {
            let before = try store.loadedTexts()
            store.append([try status("every", "\(round)"), try status("u\(round)", "t")])
            if round == failing {
                let error = await #expect(throws: PresenceStoreError.self) { try await store.settle() }
                #expect(error?.code == .unwritten)
                #expect(error?.message.contains("2 rows") == true)
                #expect(store.tally.latestFailure?.code == .unwritten)
                #expect(store.tally.rowsPending == 2)
                #expect(try folder.texts() == before)
            } else {
                try await store.settle()
                #expect(store.tally.latestFailure == nil)
            }
        }
        try await store.settle()
        let texts = try folder.texts()
        #expect(texts.count == 7 && texts["@every:x"] == "6")
        try await store.close()
    }

    @Test func `a row that came after the failed one wins over it`() async throws {
        let store = try folder.open(.failing { $0 == 1 })
        store.append([try status("a", "old"), try status("b", "kept")])
        await #expect(throws: PresenceStoreError.self) { try await store.settle() }
        store.append([try status("a", "new")])
        try await store.settle()
        #expect(try folder.texts() == ["@a:x": "new", "@b:x": "kept"])
        try await store.close()
    }

    @Test func `a full disk is named, and room on it mends everything`() async throws {
        let store = try folder.open()
        store.append([try status("first", "t")])
        try await store.settle()
        try await store.database.writeWithoutTransaction { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(pages + 2)")
        }
        store.append(try (0..<2000).map { try status("u\($0)", "a text that takes some room") })
        let error = await #expect(throws: PresenceStoreError.self) { try await store.settle() }
        #expect(error?.message.contains("the disk is full") == true)
        #expect((error?.cause as? DatabaseError)?.resultCode == .SQLITE_FULL)
        #expect(try folder.texts().count == 1)
        try await store.database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        try await store.settle()
        #expect(try folder.texts().count == 2001)
        try await store.close()
    }

    @Test func `a program that holds the file too long fails the write, and only once`() async throws {
        let store = try folder.open(.patient) { $0.busyLimit = .zero }
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let stranger = try DatabaseQueue(path: folder.path, configuration: configuration)
        try await stranger.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        store.append([try status("a", "t")])
        let error = await #expect(throws: PresenceStoreError.self) { try await store.settle() }
        #expect(error?.message.contains("another program") == true)
        try await stranger.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
        try await store.settle()
        #expect(try folder.texts() == ["@a:x": "t"])
        try await store.close()
    }

    @Test func `the write-behind tries again until it succeeds`() async throws {
        let (entered, entering) = AsyncStream.makeStream(of: UInt64.self)
        let surroundings = PresenceStore.Surroundings(
            delay: { _ in },
            beforeCommit: { number in
                entering.yield(number)
                if number < 4 { throw DatabaseError(resultCode: .SQLITE_IOERR) }
            })
        let store = try folder.open(surroundings) { $0.writeBehind = .zero }
        store.append([try status("a", "t")])
        var transactions = entered.makeAsyncIterator()
        while let number = await transactions.next(), number < 4 {}
        #expect(try store.loadedTexts() == ["@a:x": "t"])
        #expect(store.tally.failures == 3)
        try await store.close()
    }

    @Test func `a close that cannot write leaves the store open with its rows`() async throws {
        let store = try folder.open(.failing { $0 == 1 })
        store.append([try status("a", "t")])
        let error = await #expect(throws: PresenceStoreError.self) { try await store.close() }
        #expect(error?.code == .unwritten)
        store.append([try status("b", "t")])
        try await store.close()
        #expect(try folder.texts().count == 2)
    }

    @Test(arguments: UInt64(1)...20) func `after any failures and crashes the disk holds what was settled`(seed: UInt64)
        async throws
    {
        var weather = SeededGenerator(seed: seed)
        let chance = Mutex(SeededGenerator(seed: seed &* 977))
        var store = try folder.open(.failing { _ in chance.withLock { $0.next() % 3 == 0 } })
        // What must be there: the latest row of each user, as of the latest settle that returned.
        var appended: [String: String] = [:]
        for step in 0..<120 {
            switch weather.next() % 8 {
            case 0...4:
                let name = "u\(weather.next() % 12)"
                store.append([try status(name, "\(step)")])
                appended["@\(name):x"] = "\(step)"
            case 5...6:
                guard (try? await store.settle()) != nil else { continue }
                #expect(try folder.texts() == appended)
                let survivor = try PresenceStore(path: try folder.crashed())
                #expect(try survivor.loadedTexts() == appended)
                try await survivor.close()
            default:
                guard (try? await store.close()) != nil else { continue }
                store = try folder.open(.failing { _ in chance.withLock { $0.next() % 3 == 0 } })
                #expect(try store.loadedTexts() == appended)
            }
        }
        #expect(store.tally.rowsPending <= 12)
    }

    @Test(arguments: UInt64(1)...20) func `rows of every kind outlive failures and crashes, whole or not at all`(
        seed: UInt64
    ) async throws {
        var weather = SeededGenerator(seed: seed)
        var drawn = DrawnRecords(seed: seed &* 31)
        let chance = Mutex(SeededGenerator(seed: seed &* 977))
        let store = try folder.open(.failing { _ in chance.withLock { $0.next() % 3 == 0 } })
        // As of the latest append, and of the latest settle that returned.
        var (appended, settled) = (RecordsOnDisk(), RecordsOnDisk())
        for _ in 0..<60 {
            let group = try (0..<weather.next() % 25).map { _ in try drawn.next() }
            for record in group { appended.append(record) }
            store.append(group)
            if (try? await store.settle()) != nil { settled = appended }
            let survivor = try PresenceStore(path: try folder.crashed())
            #expect(RecordsOnDisk(try survivor.load { Issue.record("skipped \($0)") }) == settled)
            try await survivor.close()
        }
        while (try? await store.close()) == nil {}
        let again = try folder.open()
        #expect(RecordsOnDisk(try again.load { Issue.record("skipped \($0)") }) == appended)
        try await again.close()
    }
}
