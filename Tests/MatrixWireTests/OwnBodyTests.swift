import MatrixWire
import PresenceModel
import Testing

/// The bodies of presenced's own endpoints, and of those that it revives.
@Suite struct OwnBodyTests {
    private func failure<Value>(_ decode: (String) throws -> Value, _ json: String) -> String? {
        do {
            _ = try decode(json)
            return nil
        } catch let refusal as MatrixErrorBody {
            return "\(refusal.status) \(refusal.code.rawValue)"
        } catch {
            return "\(error)"
        }
    }

    private func user(_ text: String) throws -> UserID { try UserID(parsing: text) }

    private static let bad = "400 M_BAD_JSON"
    private static let invalid = "400 M_INVALID_PARAM"
    private static let missing = "400 M_MISSING_PARAM"
    private static let tooLarge = "413 M_TOO_LARGE"

    @Test func `a chosen state of our own goes before a legal one`() throws {
        func put(_ json: String) throws -> PutPresenceBody {
            try PutPresenceBody.decode(Array(json.utf8), allowsBusy: false)
        }
        for state in ChosenState.allCases {
            let body = try put(#"{"presence":"online","org.presenced.state":"\#(state.rawValue)","status_msg":"a"}"#)
            #expect(body == PutPresenceBody(state: state, statusText: "a"))
        }
        #expect(failure(put, #"{"presence":"x","org.presenced.state":"busy"}"#) == "400 M_UNKNOWN")
        #expect(failure(put, #"{"org.presenced.state":"busy"}"#) == "400 M_UNKNOWN")
        #expect(failure(put, #"{"presence":"online","org.presenced.state":"away"}"#) == OwnBodyTests.invalid)
        #expect(failure(put, #"{"presence":"online","org.presenced.state":null}"#) == OwnBodyTests.invalid)
        #expect(failure(put, #"{"presence":"online","org.presenced.state":"busy","x":1}"#) == "400 M_UNKNOWN")
    }

    @Test func `an override is read and written`() throws {
        func put(_ json: String) throws -> PresenceOverrideBody {
            try PresenceOverrideBody.decode(Array(json.utf8), allowsBusy: true)
        }
        let start = Instant(millisecondsSinceEpoch: 1000)
        #expect(try put(#"{"presence_override":""}"#).override(from: start) == nil)
        #expect(
            try put(#"{"presence_override":"hidden"}"#).override(from: start) == PresenceOverride(state: .hidden))
        let whole = try put(
            #"{"presence_override":"org.matrix.msc3026.busy","status_msg":"no","org.presenced.timeout_ms":5}"#)
        let override = PresenceOverride(
            state: .busy, text: .replaced("no"), until: Instant(millisecondsSinceEpoch: 1005))
        #expect(whole.override(from: start) == override)
        #expect(try put(#"{"presence_override":"busy","status_msg":""}"#).text == .replaced(nil))
        #expect(text(PresenceOverrideBody.encode(nil)) == #"{"presence_override":""}"#)
        #expect(
            text(PresenceOverrideBody.encode(override))
                == #"{"presence_override":"busy","status_msg":"no","org.presenced.until_ts":1005}"#)

        #expect(failure(put, "{}") == OwnBodyTests.missing)
        #expect(failure(put, #"{"presence_override":"away"}"#) == OwnBodyTests.invalid)
        #expect(failure(put, #"{"presence_override":1}"#) == OwnBodyTests.bad)
        #expect(failure(put, #"{"presence_override":"busy","status_msg":null}"#) == OwnBodyTests.bad)
        #expect(failure(put, #"{"presence_override":"busy","other":1}"#) == OwnBodyTests.bad)
        for (time, refusal) in [
            ("0", OwnBodyTests.invalid), ("31536000001", OwnBodyTests.invalid), ("1.5", "400 M_BAD_JSON"),
        ] {
            let json = #"{"presence_override":"busy","org.presenced.timeout_ms":\#(time)}"#
            #expect(failure(put, json) == refusal)
        }
        let long = String(repeating: "x", count: 1025)
        #expect(failure(put, #"{"presence_override":"busy","status_msg":"\#(long)"}"#) == OwnBodyTests.tooLarge)
        let noBusy = #"{"presence_override":"org.matrix.msc3026.busy"}"#
        #expect(
            failure({ try PresenceOverrideBody.decode(Array($0.utf8), allowsBusy: false) }, noBusy)
                == OwnBodyTests.invalid)
    }

    @Test func `a device's report is read`() throws {
        func put(_ json: String) throws -> DeviceReport { try DeviceReportBody.decode(Array(json.utf8)) }
        #expect(try put("{}") == DeviceReport())
        #expect(try put(#"{"idle_ms":0}"#).idleness == .idle(milliseconds: 0))
        #expect(try put(#"{"idle_ms":9007199254740991}"#).idleness == .idle(milliseconds: (1 << 53) - 1))
        #expect(
            try put(#"{"active":true,"type":"mobile"}"#)
                == DeviceReport(idleness: .active, type: try DeviceType(parsing: "mobile")))
        for json in [
            "[]", #"{"idle_ms":9007199254740992}"#, #"{"idle_ms":"1"}"#, #"{"idle_ms":1,"active":true}"#,
            #"{"active":1}"#, #"{"type":null}"#, #"{"state":"busy"}"#,
        ] {
            #expect(failure(put, json) == OwnBodyTests.bad, "\(json)")
        }
        for json in [#"{"idle_ms":-1}"#, #"{"active":false}"#, #"{"type":""}"#, #"{"type":"My Phone"}"#] {
            #expect(failure(put, json) == OwnBodyTests.invalid, "\(json)")
        }
        #expect(failure(put, "") == "400 M_NOT_JSON")
    }

    @Test func `the old list's body keeps the good when one element is bad`() throws {
        func post(_ json: String) throws -> LegacyPresenceListBody {
            try LegacyPresenceListBody.decode(Array(json.utf8))
        }
        let body = try post(#"{"drop":["@c:x"],"invite":["@a:x","","bob","@b:x"],"other":1}"#)
        #expect(body.invite == [try user("@a:x"), try user("@b:x")])
        #expect(body.drop == [try user("@c:x")])
        #expect(body.flaw?.message == "Expected UserID string to start with '@'")
        #expect(try post("{}") == LegacyPresenceListBody())
        func words(_ json: String) -> String? {
            do {
                _ = try post(json)
                return nil
            } catch {
                return (error as? MatrixErrorBody)?.message
            }
        }
        for json in ["", "no", "[]", "7"] { #expect(words(json) == "Unable to parse content") }
        for json in [
            #"{"invite":["@a:x",1]}"#, #"{"invite":"@a:x"}"#, #"{"invite":null}"#, #"{"invite":[[]],"drop":[1]}"#,
        ] {
            #expect(words(json) == "Bad invite value.", "\(json)")
        }
        #expect(words(#"{"invite":["@a:x"],"drop":[{}]}"#) == "Bad drop value.")
        let many = Array(repeating: #""@a:x""#, count: 1001).joined(separator: ",")
        #expect(failure(post, #"{"invite":[\#(many)]}"#) == OwnBodyTests.tooLarge)
    }

    @Test func `entries, groups and policies are read`() throws {
        func entry(_ json: String) throws -> PresenceListEntryBody {
            try PresenceListEntryBody.decode(Array(json.utf8))
        }
        let friends = try GroupName(parsing: "friends")
        #expect(try entry("") == PresenceListEntryBody())
        #expect(try entry("{}").groups == nil)
        #expect(
            try entry(#"{"note":"hi","acl":"a/1","groups":["friends"]}"#)
                == PresenceListEntryBody(note: "hi", acl: "a/1", groups: [friends]))
        #expect(failure(entry, #"{"groups":[""]}"#) == OwnBodyTests.invalid)
        #expect(failure(entry, #"{"groups":["\u0007"]}"#) == OwnBodyTests.invalid)
        #expect(failure(entry, #"{"groups":"friends"}"#) == OwnBodyTests.bad)
        #expect(failure(entry, #"{"groups":[1]}"#) == OwnBodyTests.bad)
        #expect(failure(entry, #"{"note":1}"#) == OwnBodyTests.bad)
        #expect(failure(entry, #"{"state":"accepted"}"#) == OwnBodyTests.bad)
        #expect(failure(entry, #"{"note":"\#(String(repeating: "x", count: 513))"}"#) == OwnBodyTests.tooLarge)
        #expect(failure(entry, #"{"acl":"\#(String(repeating: "x", count: 256))"}"#) == OwnBodyTests.tooLarge)

        func group(_ json: String) throws -> PresenceGroupBody { try PresenceGroupBody.decode(Array(json.utf8)) }
        #expect(try group("").name == nil)
        #expect(try group(#"{"name":"friends"}"#).name == friends)
        #expect(failure(group, #"{"name":""}"#) == OwnBodyTests.invalid)
        #expect(failure(group, #"{"name":7}"#) == OwnBodyTests.bad)

        func policy(_ json: String) throws -> ListPolicyBody { try ListPolicyBody.decode(Array(json.utf8)) }
        #expect(try policy(#"{"policy":null}"#).policy == nil)
        for word in ListPolicy.allCases {
            #expect(try policy(#"{"policy":"\#(word.rawValue)"}"#).policy == word)
            #expect(text(ListPolicyBody(policy: word).encode()) == #"{"policy":"\#(word.rawValue)"}"#)
        }
        #expect(text(ListPolicyBody(policy: nil).encode()) == #"{"policy":null}"#)
        #expect(failure(policy, "{}") == OwnBodyTests.missing)
        #expect(failure(policy, #"{"policy":"never"}"#) == OwnBodyTests.invalid)
        #expect(failure(policy, #"{"policy":1}"#) == OwnBodyTests.bad)
    }

    @Test func `an interest says in what, and for how long`() throws {
        func put(_ json: String) throws -> InterestBody { try InterestBody.decode(Array(json.utf8)) }
        #expect(try put(#"{"list":true}"#) == InterestBody(scope: .wholeList, timeoutMilliseconds: 300_000))
        let some = try put(#"{"groups":["a"],"users":["@b:x"],"timeout_ms":1}"#)
        #expect(
            some
                == InterestBody(
                    scope: .some(groups: [try GroupName(parsing: "a")], users: [try user("@b:x")]),
                    timeoutMilliseconds: 1))
        #expect(try put(#"{"users":[]}"#).scope == .some(groups: [], users: []))
        for json in ["{}", #"{"timeout_ms":1}"#] { #expect(failure(put, json) == OwnBodyTests.missing) }
        for json in [
            #"{"list":false}"#, #"{"list":true,"timeout_ms":0}"#, #"{"list":true,"timeout_ms":-1}"#,
            #"{"users":["b"]}"#,
        ] {
            #expect(failure(put, json) == OwnBodyTests.invalid, "\(json)")
        }
        for json in [
            #"{"list":true,"users":[]}"#, #"{"list":"yes"}"#, #"{"users":[1]}"#, #"{"users":{}}"#, #"{"x":1}"#,
        ] {
            #expect(failure(put, json) == OwnBodyTests.bad, "\(json)")
        }
        let many = (0...64).map { #""\#($0)""# }.joined(separator: ",")
        #expect(failure(put, #"{"groups":[\#(many)]}"#) == OwnBodyTests.tooLarge)
    }

    @Test func `contact rules replace those that are named`() throws {
        func put(_ json: String) throws -> ContactPolicyBody { try ContactPolicyBody.decode(Array(json.utf8)) }
        let closeFriends = try GroupName(parsing: "close")
        var expected = ContactPolicy()
        expected.busy = .group(closeFriends)
        expected.offline = .nobody
        expected.refusesInvites = true
        let changed = try put(#"{"busy":{"group":"close"},"offline":"nobody","refuse_invites":true}"#)
            .applied(to: ContactPolicy())
        #expect(changed == expected)
        #expect(
            text(ContactPolicyBody.encode(changed))
                == #"{"busy":{"group":"close"},"free_for_chat":"anyone","offline":"nobody","online":"list","#
                + #""refuse_invites":true,"unavailable":"list"}"#)
        let again = try put(text(ContactPolicyBody.encode(changed)))
        #expect(again.applied(to: ContactPolicy()) == changed)
        for json in [
            #"{"busy":"friends"}"#, #"{"busy":null}"#, #"{"busy":{"group":""}}"#, #"{"busy":{"group":"a","x":1}}"#,
            #"{"busy":{"group":1}}"#,
        ] {
            #expect(failure(put, json) == OwnBodyTests.invalid, "\(json)")
        }
        #expect(failure(put, #"{"hidden":"nobody"}"#) == OwnBodyTests.bad)
        #expect(failure(put, #"{"refuse_invites":1}"#) == OwnBodyTests.bad)
    }

    @Test func `a contact check names one or two users`() throws {
        func post(_ json: String) throws -> ContactCheckBody { try ContactCheckBody.decode(Array(json.utf8)) }
        #expect(try post(#"{"to":"@b:x"}"#) == ContactCheckBody(from: nil, to: try user("@b:x")))
        #expect(failure(post, "{}") == OwnBodyTests.missing)
        #expect(failure(post, #"{"from":"b"}"#) == OwnBodyTests.invalid)
        #expect(failure(post, #"{"from":"@b:x","when":1}"#) == OwnBodyTests.bad)
        #expect(text(ContactCheckBody.encodeAnswer(false)) == #"{"allowed":false,"decided_here":true}"#)
        #expect(text(ContactCheckBody.encodeAnswer(nil)) == #"{"allowed":true,"decided_here":false}"#)
    }

    @Test func `members of a room are each there once`() throws {
        func put(_ json: String) throws -> [UserID] { try RoomMembersBody.decode(Array(json.utf8)) }
        #expect(try put(#"{"members":["@b:x","@a:x","@b:x"]}"#) == [try user("@a:x"), try user("@b:x")])
        #expect(try put(#"{"members":[]}"#).isEmpty)
        #expect(failure(put, "{}") == OwnBodyTests.missing)
        #expect(failure(put, #"{"members":["@a:x","b"]}"#) == OwnBodyTests.invalid)
        #expect(failure(put, #"{"members":"@a:x"}"#) == OwnBodyTests.bad)
    }
}
