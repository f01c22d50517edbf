import MatrixWire
import PresenceModel
import Testing

@Suite struct PresenceEDUTests {
    private func decode(_ json: String) throws -> PresenceEDU {
        PresenceEDU(decoding: try #require(try parse(json, .lenient).object))
    }

    private func presence(in exchange: Exchange) throws -> PresenceEDU? {
        guard let body = exchange.body, let transaction = try? Transaction(decoding: body) else { return nil }
        guard case .presence(let edu) = transaction.edus.first else { return nil }
        return edu
    }

    @Test func `a bad push does not sink the good one beside it`() throws {
        let good = #"{"presence":"online","user_id":"@good:x","last_active_ago":1}"#
        for bad in [
            #""x""#, "null", "[]", "{}", #"{"presence":"online"}"#, #"{"presence":"online","user_id":null}"#,
            #"{"presence":"online","user_id":42}"#, #"{"presence":"online","user_id":"garbage"}"#,
            #"{"presence":"online","user_id":"@:x"}"#, #"{"presence":"online","user_id":"m:x"}"#,
            #"{"user_id":"@b:x"}"#, #"{"presence":null,"user_id":"@b:x"}"#, #"{"presence":42,"user_id":"@b:x"}"#,
            #"{"presence":{"a":1},"user_id":"@b:x"}"#, #"{"presence":"dancing","user_id":"@b:x"}"#,
            #"{"presence":"ONLINE","user_id":"@b:x"}"#, #"{"presence":"hidden","user_id":"@b:x"}"#,
        ] {
            let edu = try decode(#"{"push":[\#(good),\#(bad),\#(good)]}"#)
            #expect(edu.push.map(\.user.text) == ["@good:x", "@good:x"], "\(bad)")
            #expect(edu.malformedCount == 1, "\(bad)")
        }
    }

    @Test func `recorded malformed pushes are refused, or kept without what is wrong`() throws {
        let expectations: [String: (pushes: Int, malformed: Int)] = [
            "push empty list": (0, 0), "push missing": (0, 0), "push null": (0, 1), "push an object": (0, 1),
            "push a string": (0, 1), "push item a string": (0, 1), "push item null": (0, 1),
            "user_id missing": (0, 1), "user_id null": (0, 1), "user_id a number": (0, 1),
            "user_id without a colon": (0, 1), "user_id without @": (0, 1), "user_id empty localpart": (0, 1),
            "user_id of 1000 characters": (0, 1), "presence missing": (0, 1), "presence null": (0, 1),
            "presence a number": (0, 1), "presence an object": (0, 1), "last_active_ago a string": (1, 1),
            "last_active_ago null": (1, 0), "status_msg a number": (1, 1), "status_msg an object": (1, 1),
            "currently_active a string": (1, 1), "currently_active null": (1, 0),
        ]
        var (seen, after) = (0, 0)
        for exchange in try Recordings.exchanges(in: "edge_presence_malformed.jsonl") {
            if let expected = expectations[exchange.note] {
                let edu = try #require(try presence(in: exchange), "\(exchange.note)")
                #expect(edu.push.count == expected.pushes, "\(exchange.note)")
                #expect(edu.malformedCount == expected.malformed, "\(exchange.note)")
                seen += 1
            } else if exchange.note.hasPrefix("a good push after") {
                let edu = try #require(try presence(in: exchange))
                #expect(edu.push.map(\.state) == [.online] && edu.malformedCount == 0)
                after += 1
            }
        }
        #expect(seen == expectations.count && after == 24, "\(seen), \(after)")
    }

    @Test func `recorded pushes mean what they meant`() throws {
        var pushes: [String: [PresencePush]] = [:]
        for exchange in try Recordings.exchanges(in: "edge_presence_in.jsonl") {
            pushes[exchange.note] = try presence(in: exchange)?.push
        }
        #expect(pushes["plain push"]?.first?.statusText == "n1")
        #expect(pushes["state busy (MSC3026)"]?.first?.state == .busy)
        #expect(pushes["state unknown to everybody"]?.isEmpty == true)
        #expect(pushes["unavailable, no last_active_ago"]?.first?.lastActiveAgoMilliseconds == nil)
        #expect(pushes["online, no currently_active"]?.first?.currentlyActive == false)
        #expect(pushes["status_msg null"]?.map(\.statusText) == [nil])
        #expect(pushes["status_msg empty"]?.map(\.statusText) == [nil])
        #expect(pushes["negative last_active_ago"]?.first?.lastActiveAgoMilliseconds == 0)
        #expect(pushes["huge last_active_ago (2**53-1)"]?.first?.lastActiveAgoMilliseconds == 9_007_199_254_740_991)
        #expect(pushes["two pushes for one user: the last wins"]?.map(\.state) == [.unavailable, .online])
        #expect(pushes["good push beside a foreign one"]?.count == 2)
    }

    @Test(
        arguments: [
            ("online", nil, .online), ("unavailable", nil, .unavailable), ("offline", nil, .offline),
            ("free_for_chat", nil, .freeForChat), ("busy", nil, .busy), ("org.matrix.msc3026.busy", nil, .busy),
            ("online", "\"free_for_chat\"", .freeForChat), ("unavailable", "\"busy\"", .busy),
            ("online", "\"hidden\"", .online), ("online", "\"unheard_of\"", .online), ("online", "7", .online),
        ] as [(String, String?, PublishedState)])
    func `a state is read, and refined where that is legal`(word: String, extra: String?, state: PublishedState) throws
    {
        let refinement = extra.map { #","org.presenced.state":\#($0)"# } ?? ""
        let edu = try decode(#"{"push":[{"user_id":"@a:x","presence":"\#(word)"\#(refinement)}]}"#)
        #expect(edu.push.map(\.state) == [state])
        #expect(edu.carriesExtension == (extra != nil) && edu.malformedCount == 0)
    }

    @Test func `a device type is read, or left out and counted`() throws {
        func decode(_ type: String, _ state: String = "online") throws -> PresenceEDU {
            try self.decode(
                #"{"push":[{"user_id":"@a:x","org.presenced.device_type":\#(type),"presence":"\#(state)"}]}"#)
        }
        for type in ["mobile", "x", "a.b_c-9", String(repeating: "z", count: 32)] {
            let edu = try decode(#""\#(type)""#)
            #expect(edu.push.first?.deviceType?.text == type)
            #expect(edu.carriesExtension && edu.malformedCount == 0)
        }
        for bad in [#""""#, #""Mobile""#, #""a b""#, "7", "{}", #""\#(String(repeating: "z", count: 33))""#] {
            let edu = try decode(bad)
            #expect(edu.push.map(\.deviceType) == [nil] && edu.malformedCount == 1, "\(bad)")
        }
        #expect(try decode("null").malformedCount == 0)
        // Who is offline is at no device.
        let offline = try decode(#""web""#, "offline")
        #expect(offline.push.map(\.deviceType) == [nil] && offline.malformedCount == 0)
    }

    @Test func `a long text is cut at a character`() throws {
        let long = String(repeating: "é", count: 600)
        let edu = try decode(#"{"push":[{"user_id":"@a:x","presence":"online","status_msg":"x\#(long)"}]}"#)
        #expect(edu.push.first?.statusText?.utf8.count == 1023)
    }

    @Test func `lists of users keep the good and count the bad`() throws {
        for key in ["poll", "unpoll", "org.presenced.query", "org.presenced.watch"] {
            let edu = try decode(#"{"\#(key)":["@a:x",7,"nobody",null,"@b:x"]}"#)
            let lists = [edu.poll, edu.unpoll, edu.query, edu.watch]
            #expect(lists.flatMap { $0 }.map(\.text) == ["@a:x", "@b:x"])
            #expect(edu.malformedCount == 3 && edu.carriesExtension)
            #expect(try decode(#"{"\#(key)":{}}"#).malformedCount == 1)
        }
        #expect(try !decode(#"{"push":[],"org.example":1}"#).carriesExtension)
        #expect(try decode(#"{"org.presenced.later":1}"#).carriesExtension)
        #expect(try decode(#"{"poll":[]}"#).carriesExtension)
    }

    @Test func `promise and reminder are read or counted`() throws {
        #expect(try decode(#"{"org.presenced.promise_ms":3900000}"#).promiseMilliseconds == 3_900_000)
        for bad in ["-1", "1.5", "null", #""1""#] {
            let edu = try decode(#"{"org.presenced.promise_ms":\#(bad)}"#)
            #expect(edu.promiseMilliseconds == nil && edu.malformedCount == 1)
        }
        let reminder = try decode(#"{"org.presenced.reminder":{"count":12,"digest":"ab"}}"#).reminder
        #expect(reminder == PresenceEDU.Reminder(promised: .init(count: 12, digest: "ab")))
        let long = String(repeating: "d", count: 129)
        for bad in ["1", #"{"count":1}"#, #"{"count":-1,"digest":""}"#, #"{"count":1,"digest":"\#(long)"}"#] {
            let edu = try decode(#"{"org.presenced.reminder":\#(bad)}"#)
            #expect(edu.reminder == nil && edu.malformedCount == 1)
        }
    }

    @Test func `ten thousand of each are taken`() throws {
        let ids = Array(repeating: #""@a:x""#, count: 10_003).joined(separator: ",")
        let pushes = Array(repeating: #"{"user_id":"@a:x","presence":"online"}"#, count: 10_002).joined(separator: ",")
        let edu = try decode(#"{"poll":[\#(ids)],"push":[\#(pushes)]}"#)
        #expect(edu.poll.count == 10_000 && edu.push.count == 10_000 && edu.malformedCount == 5)
    }
}
