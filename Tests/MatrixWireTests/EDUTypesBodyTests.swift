import MatrixWire
import PresenceModel
import Testing

@Suite struct EDUTypesBodyTests {
    @Test(arguments: [
        ("{}", true, ["accept", "deny", "invite"]),
        (#"{"m.presence":false,"m.receipt":true,"m.typing":true}"#, false, ["accept", "deny", "invite"]),
        (#"{"m.presence":null,"org.presenced.presence_invite":false}"#, true, ["accept", "deny"]),
        (
            #"{"m.presence":true,"m.presence":false,"org.presenced.presence_deny":0}"#, false,
            ["accept", "deny", "invite"]
        ),
    ])
    func `what is false is not wanted, all else is`(json: String, presence: Bool, permissions: [String]) throws {
        let body = try #require(EDUTypesBody(decoding: Array(json.utf8)))
        #expect(body.presence == presence && body.permissions.map(\.rawValue).sorted() == permissions)
    }

    @Test func `what is written is read again`() {
        for body in [EDUTypesBody.everything, .nothing] { #expect(EDUTypesBody(decoding: body.encode()) == body) }
        for text in ["", "[]", "true", "{"] { #expect(EDUTypesBody(decoding: Array(text.utf8)) == nil) }
    }
}
