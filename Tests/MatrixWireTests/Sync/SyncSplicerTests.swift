import MatrixWire
import PresenceModel
import Testing

@Suite struct `A splicer of syncs` {
    private static let me = "@me:here"
    private static let events = [#"{"type":"m.presence","sender":"@a:b","content":{}}"#, #"{"x":[]}"#]

    private struct Outcome: Equatable {
        var output: [UInt8] = []
        var token: String?
        var joins: Set<SyncJoins.Join> = []
        var ownRooms: Set<String> = []
        var isComplete = false
        var isPassing = false
        var asked = 0
    }

    /// Runs the answer through, cut before each of `cuts`, which rise.
    private func run(
        _ body: [UInt8], _ shape: SyncSplicer.Shape = .sync, cuts: [Int] = [], events: [String] = Self.events
    ) throws -> Outcome {
        var splicer = SyncSplicer(shape, learningJoinsFor: try UserID(parsing: Self.me))
        var outcome = Outcome()
        for (start, end) in zip([0] + cuts, cuts + [body.count]) {
            var chunk = body[start..<end]
            repeat {
                let bytes = Array(chunk)
                let taken = splicer.take(bytes)
                for piece in taken.pieces {
                    switch piece {
                    case .chunk(let range): outcome.output += bytes[range]
                    case .kept(let kept): outcome.output += kept
                    }
                }
                if splicer.isPresenceDue {
                    outcome.asked += 1
                    outcome.output += splicer.presence(events.map { Array($0.utf8) })
                }
                chunk = chunk.dropFirst(taken.consumed)
            } while !chunk.isEmpty
        }
        outcome.output += splicer.finish()
        outcome.token = splicer.nextBatch
        outcome.joins = Set(splicer.joins?.joins ?? [])
        outcome.ownRooms = Set((splicer.joins?.ownRooms ?? []).map(\.text))
        outcome.isComplete = splicer.isComplete
        outcome.isPassing = splicer.isPassing
        return outcome
    }

    private func run(_ body: String, _ shape: SyncSplicer.Shape = .sync, events: [String] = Self.events) throws
        -> String
    {
        text(try run(Array(body.utf8), shape, events: events).output)
    }

    @Test func `puts presence at the end and touches nothing else`() throws {
        #expect(try run(#"{"next_batch":"a"}"#, events: ["1"]) == #"{"next_batch":"a","presence":{"events":[1]}}"#)
        #expect(try run(" { } \n", events: ["1"]) == " { \"presence\":{\"events\":[1]}} \n")
        #expect(try run(#"{ "a" : [1, 2.50] }"#, events: []) == #"{ "a" : [1, 2.50] }"#)
    }

    @Test func `takes the homeserver's own presence out, wherever it stands`() throws {
        #expect(try run(#"{"presence":{"events":[]},"a":1}"#, events: []) == #"{"a":1}"#)
        #expect(try run(#"{"a":1,"presence":{"events":[]}}"#, events: []) == #"{"a":1}"#)
        #expect(try run(#"{"a":1 , "presence":{"events":[7]} , "b":2}"#, events: []) == #"{"a":1  , "b":2}"#)
        #expect(try run(#"{"pres\u0065nce":null}"#, events: ["1"]) == #"{"presence":{"events":[1]}}"#)
        #expect(try run(#"{"presence":1,"presence":2,"a":{"presence":3}}"#, events: []) == #"{"a":{"presence":3}}"#)
    }

    @Test func `fills the extensions of a sliding sync, and makes them where there are none`() throws {
        let mine = #""org.presenced.presence":{"events":[1]}"#
        #expect(
            try run(#"{"pos":"1","extensions":{"e2ee":{}},"rooms":{}}"#, .slidingSync, events: ["1"])
                == #"{"pos":"1","extensions":{"e2ee":{},"# + mine + #"},"rooms":{}}"#)
        #expect(
            try run(#"{"extensions":{}}"#, .slidingSync, events: ["1"]) == #"{"extensions":{"# + mine + "}}")
        #expect(try run("{}", .slidingSync, events: ["1"]) == #"{"extensions":{"# + mine + "}}")
        #expect(
            try run(#"{"pos":"1"}"#, .slidingSync, events: ["1"]) == #"{"pos":"1","extensions":{"# + mine + "}}")
        #expect(try run(#"{"extensions":null}"#, .slidingSync, events: ["1"]) == #"{"extensions":null}"#)
        #expect(try run(#"{"presence":{}}"#, .slidingSync, events: []) == #"{"presence":{}}"#)
    }

    @Test func `learns the token and who joined`() throws {
        let member = #"{"type":"m.room.member","state_key":"%","content":{"membership":"join"}}"#
        func joined(_ user: String) -> String { member.split(separator: "%").joined(separator: user) }
        let body = """
            {"rooms":{"join":{"!r:h":{"timeline":{"events":[\(joined("@a:h")),\(joined("@b:h")),
            {"type":"m.room.member","state_key":"@b:h","content":{"membership":"leave"}}]},
            "state":{"events":[\(joined("@b:h")),\(joined("@c:h"))]}},
            "!s:h":{"state":{"events":[{"type":"m.room.member","state_key":"@d:h","content":{"membership":"join"},
            "unsigned":{"prev_content":{"membership":"join"}}}]},"timeline":{"events":[\(joined("@me:here"))]}},
            "!t:h":{"timeline":{"events":[{"type":"m.room.member","state_key":"@e:h","content":{"membership":"join"},
            "unsigned":{"prev_content":{"membership":"join"}}}]}}},"leave":{"!q:h":{"timeline":{"events":[
            \(joined("@x:h"))]}}}},"next_batch":"s1_\\u00e9"}
            """
        let outcome = try run(Array(body.utf8))
        #expect(outcome.token == "s1_é")
        #expect(Set(outcome.joins.map { "\($0.user) \($0.room)" }) == ["@a:h !r:h", "@c:h !r:h", "@d:h !s:h"])
        #expect(outcome.ownRooms == ["!s:h"])
    }

    @Test func `keeps at most a thousand who joined and says so`() throws {
        var events: [String] = []
        for number in 0..<1500 {
            events.append(#"{"type":"m.room.member","state_key":"@u\#(number):h","content":{"membership":"join"}}"#)
        }
        let body = #"{"rooms":{"join":{"!r:h":{"timeline":{"events":[\#(events.joined(separator: ","))]}}}}}"#
        var splicer = SyncSplicer(.sync, learningJoinsFor: try UserID(parsing: Self.me))
        _ = splicer.take(Array(body.utf8))
        #expect(splicer.joins?.joins.count == SyncJoins.limit)
        #expect(splicer.joins?.isCut == true)
    }

    @Test func `passes on what is no answer to a sync`() throws {
        let flawed = [
            "", "nonsense", "[1]", "\"a\"", "12", "null", "{", #"{"a"}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":01}"#,
            #"{"a":1.}"#, #"{"a":-}"#, #"{"a":1e}"#, #"{"a":tru}"#, #"{"a":"\x"}"#, #"{"a":"\u12g4"}"#,
            "{\"a\":\"\n\"}",
            #"{"a":[1 2]}"#, #"{"a":[1,]}"#, #"{"a":{]}"#, #"{"a" 1}"#, #"{"a":1"#, #"{"a":"unended"#, "\u{FEFF}{}",
            #"{a:1}"#, "{'a':1}", #"{"a":NaN}"#, #"{"a":+1}"#, "<html>",
        ]
        for body in flawed {
            let outcome = try run(Array(body.utf8))
            #expect(text(outcome.output) == body)
            #expect(!outcome.isComplete && outcome.isPassing && outcome.asked == 0, "\(body)")
        }
        let deep = #"{"a":"# + String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000) + "}"
        #expect(try run(deep) == deep)
        let blank = "{\"a\":1," + String(repeating: " ", count: 70_000) + "\"b\":2}"
        let outcome = try run(Array(blank.utf8), cuts: Array(stride(from: 1000, to: 70_000, by: 1000)))
        #expect(text(outcome.output) == blank && outcome.isPassing)
    }

    @Test func `says when something follows the end`() throws {
        #expect(try run(Array(#"{"next_batch":"a"} x"#.utf8)).isComplete == false)
        #expect(try run(Array(#"{"next_batch":"a"}"#.utf8) + [0x20, 0x0A]).isComplete)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `does what a parser of the whole would do, cut at every place`(seed: UInt64) throws {
        var drawn = DrawnSync(seed: seed)
        for number in 0..<12 {
            let shape = number % 4 == 3 ? SyncSplicer.Shape.slidingSync : .sync
            let body = drawn.answer(shape, limit: number % 3 == 0 ? 1500 : 400)
            let events = number % 5 == 0 ? [] : Self.events
            let naive = try NaiveSplicer(body, shape, events: events, reader: Self.me)
            let whole = try run(body, shape, events: events)
            #expect(text(whole.output) == text(naive.output))
            #expect(whole.token == naive.token && whole.joins == naive.joins && whole.ownRooms == naive.ownRooms)
            #expect(whole.isComplete && whole.asked <= 1)
            for cut in 0...body.count {
                let again = try run(body, shape, cuts: [cut], events: events)
                if again != whole { Issue.record("cut at \(cut): \(text(again.output))") }
            }
            let single = try run(body, shape, cuts: Array(1..<body.count), events: events)
            if single != whole { Issue.record("byte by byte: \(text(single.output))") }
        }
    }

    @Test(arguments: ["cs_no_busy.jsonl", "cs_default_rate_limit.jsonl"])
    func `makes recorded answers of what they were without presence`(file: String) throws {
        let answers = try Recordings.exchanges(in: file).filter { $0.path.contains("/v3/sync") && $0.status == 200 }
        #expect(answers.count > 2)
        for answer in answers {
            let whole = try #require(answer.answer.object)
            var bare = whole
            bare["presence"] = nil
            let events = (whole["presence"]?["events"]?.array ?? []).map { text(CanonicalJSON.encode($0)) }
            let outcome = try run(CanonicalJSON.encode(.object(bare)), events: events)
            #expect(try JSONParser.lenient.parse(outcome.output).value == answer.answer)
            #expect(outcome.token == whole["next_batch"]?.string)
            #expect(
                try run(CanonicalJSON.encode(answer.answer), events: []).output == CanonicalJSON.encode(.object(bare)))
        }
    }

    /// 100,000 inputs in all.
    @Test(arguments: 11...14 as ClosedRange<UInt64>)
    func `stumbles over nothing and loses nothing`(seed: UInt64) throws {
        var drawn = DrawnSync(seed: seed)
        var (good, flawed) = (0, 0)
        var body: [UInt8] = []
        for number in 0..<25_000 {
            if number % 25 == 0 { body = drawn.answer(.sync, limit: 500) }
            let input = mutate(body, &drawn)
            let cuts = (0..<drawn.number(3)).map { _ in drawn.number(input.count + 1) }.sorted()
            let outcome = try run(input, cuts: cuts)
            let parser = JSONParser(duplicateKeys: .lastWins, numbers: .any, maxDepth: 512)
            if let tree = try? parser.parse(input).value, tree.object != nil {
                good += 1
                let naive = try NaiveSplicer(input, .sync, events: Self.events, reader: Self.me)
                if outcome.output != naive.output || !outcome.isComplete { Issue.record("\(text(input))") }
            } else {
                flawed += 1
                let silent = try run(input, cuts: cuts, events: [])
                let hasPresence = text(input).contains("presence") || input.contains(UInt8(ascii: "\\"))
                if !hasPresence, silent.output != input { Issue.record("\(text(input))") }
                if outcome.isComplete, let error = flaw(of: input, parser) {
                    let isLax = error.reason == .badUTF8 || error.reason == .badEscape || error.reason == .tooDeep
                    if !isLax { Issue.record("taken for JSON: \(text(input)), \(error)") }
                }
            }
        }
        #expect(good > 1000 && flawed > 10_000, "\(good) good, \(flawed) flawed")
    }

    private func flaw(of bytes: [UInt8], _ parser: JSONParser) -> JSONError? {
        do throws(JSONError) {
            _ = try parser.parse(bytes)
            return nil
        } catch {
            return error
        }
    }

    private func mutate(_ body: [UInt8], _ drawn: inout DrawnSync) -> [UInt8] {
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00", "\"presence\":1,", "0", "-", "e", " ", "é", "null",
        ]
        var body = body
        for _ in 0..<drawn.number(3) + 1 {
            let place = drawn.number(body.count + 1)
            let end = min(body.count, place + drawn.number(10))
            switch drawn.number(5) {
            case 0: body.insert(contentsOf: Array(pieces[drawn.number(pieces.count)].utf8), at: place)
            case 1: body.removeSubrange(place..<end)
            case 2: body.insert(contentsOf: body[place..<end], at: drawn.number(body.count + 1))
            case 3: body.replaceSubrange(place..<end, with: [UInt8(drawn.number(256))])
            default: if drawn.number(3) == 0 { body = Array(body[..<place]) }
            }
        }
        return body
    }
}

extension SyncSplicer {
    fileprivate mutating func take(_ chunk: [UInt8]) -> Taken { chunk.withUnsafeBufferPointer { take($0) } }
}
