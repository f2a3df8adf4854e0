import Glibc
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

/// The status page in a real browser, of a fleet of processes.
@Suite("The status page", .operations, .serialized) struct StatusPageTests {
    private let fleet: OperatedFleet
    private let browser: Browser

    init() throws {
        fleet = try OperatedFleet(validators: 3)
        try fleet.waitUntilReady()
        browser = try Browser()
        try browser.open("http://\(fleet.issuer.adminAddress)/status")
    }

    /// Types the credential, and waits for the fleet.
    private func signIn() throws {
        try browser.type(OperatedFleet.adminToken)
        try browser.press([Browser.enter])
        try #require(try poll(within: .seconds(20)) { try browser.texts("#nodes tr").count == 4 })
    }

    private func state(of node: String) throws -> String? {
        let states = try browser.run(
            """
            return [...document.querySelectorAll("#nodes tr")].filter(r => r.dataset.node.startsWith("\(node)/"))
              .map(r => r.querySelector(".state").textContent).join("|")
            """)
        return states.string
    }

    @Test func itShowsTheFleetAndKeepsTheCredentialToItself() throws {
        try signIn()
        for name in ["v1", "v2", "v3"] { #expect(try poll { try state(of: name) == "lease held" }) }
        #expect(try browser.text("#f-validators") == "3 of 3")
        #expect(try browser.text("#issuer")?.hasPrefix("i1 · ") == true)
        #expect(try browser.text("#link-text")?.hasPrefix("live, ") == true)
        #expect(try !browser.shows("#login"))
        #expect(try browser.run("return document.querySelector('#credential').value") == "")
        let kept = try browser.run(
            "return [document.cookie, location.href, document.documentElement.outerHTML, "
                + "JSON.stringify(localStorage), JSON.stringify(sessionStorage), JSON.stringify(history.state)].join()")
        #expect(kept.string?.contains("/status") == true && kept.string?.contains(OperatedFleet.adminToken) == false)
        // Nothing was refused by the policy, nothing failed to load, no script failed.
        #expect(try browser.consoleMessages() == [])
        let origins = try browser.run(
            "return performance.getEntriesByType('resource').map(e => new URL(e.name).host)")
        #expect(Set((origins.array ?? []).compactMap(\.string)) == [fleet.issuer.adminAddress])
    }

    @Test func whereNoCredentialIsNeededNoneIsAskedFor() throws {
        let open = try OperatedFleet(validators: 1, isOpen: true)
        try browser.open("http://\(open.issuer.adminAddress)/status")
        #expect(try poll(within: .seconds(20)) { try browser.texts("#nodes tr").count == 2 })
        #expect(try !browser.shows("#login"))
        #expect(try browser.consoleMessages() == [])
    }

    @Test func thePolicyHolds() throws {
        try browser.run(
            """
            const script = document.createElement("script");
            script.append("document.title = 'broken in'");
            document.body.append(script);
            document.body.setAttribute("style", "display: none");
            fetch("http://127.0.0.1:1/").catch(() => {});
            """)
        #expect(try poll { try browser.consoleMessages().count { $0.contains("Content Security Policy") } > 0 })
        #expect(try browser.run("return document.title") == "Quash status")
        #expect(try browser.shows("#login"))
    }

    @Test func whatHappensIsSeenAtOnce() throws {
        try signIn()
        let pair = try fleet.signIn("alice")
        for validator in fleet.validators { #expect(try fleet.decide(pair.access, at: validator) == .noContent) }
        try fleet.revokeAndConfirm(pair.session)
        #expect(try poll { try browser.texts("#recent tr").first?.contains("confirmed") == true })
        #expect(try browser.run("return document.querySelectorAll('#chart .dot').length") == 1)
        #expect(try browser.text("#f-head") == "1")
        #expect(try browser.text("#chart-title")?.hasPrefix("Of the last 1 revocations 1 were confirmed") == true)
        // Whom it names is not shown.
        let html = try browser.run("return document.documentElement.outerHTML").string ?? ""
        #expect(!html.contains(pair.session) && !html.contains("alice"))

        fleet.kill("v2")
        #expect(try poll(within: .seconds(20)) { try state(of: "v2") == "lease ended" })
        #expect(try browser.text("#f-validators") == "2 of 3")
        #expect(try browser.text("#news") == "v2 has no lease")
        // A revocation that waits for the end of its lease is seen to wait, and then how long.
        try fleet.addValidator("v4")
        #expect(try poll(within: .seconds(20)) { try state(of: "v4") == "lease held" })
        #expect(try browser.text("#news") == "v4 is new")
        #expect(try browser.consoleMessages() == [])
    }

    @Test func aLostConnectionIsSeenAndComesBack() throws {
        try signIn()
        fleet.killIssuer()
        #expect(try poll { try browser.text("#link-text")?.hasPrefix("connection lost, last heard at ") == true })
        #expect(try browser.run("return document.querySelector('#content').classList.contains('stale')") == true)
        try fleet.startIssuer()
        let isBack = try poll(within: .seconds(30)) { try browser.text("#link-text")?.hasPrefix("live, ") == true }
        #expect(isBack)
        #expect(try browser.run("return document.querySelector('#content').classList.contains('stale')") == false)
    }

    @Test func aWrongCredentialIsToldAndCanBeCorrected() throws {
        try browser.type("not-the-credential-at-all")
        try browser.press([Browser.enter])
        #expect(try poll { try browser.text("#login-problem") == "The issuer refuses this credential." })
        #expect(try browser.run("return document.activeElement.id") == "credential")
        try signIn()
    }

    /// Everything is reached by Tab alone, in the order in which it is seen, and where the focus is is seen.
    @Test func theKeyboardIsEnough() throws {
        func focus() throws -> String? {
            try browser.run(
                """
                const e = document.activeElement;
                const style = getComputedStyle(e);
                const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                return (e.id || e.className || e.tagName) + (outline ? "" : " unseen");
                """
            ).string
        }
        #expect(try focus() == "credential")
        try browser.press([Browser.tab])
        #expect(try focus() == "BUTTON")
        try browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
        try browser.run("document.querySelector('#credential').focus()")
        try signIn()
        // Back to where a page begins.
        try browser.run("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
        var order: [String] = []
        for _ in 0..<3 {
            try browser.press([Browser.tab])
            order.append(try focus() ?? "")
        }
        #expect(order == ["skip", "scroll", "scroll"])
        try browser.run("document.querySelector('.skip').focus()")
        try browser.press([Browser.enter])
        #expect(try browser.run("return document.activeElement.id") == "validators")
    }

    // MARK: How it looks, and to those who do not see it

    private func makeHistory() throws {
        for number in 0..<12 {
            let pair = try fleet.signIn("user-\(number)")
            for validator in fleet.validators { _ = try fleet.decide(pair.access, at: validator) }
            try fleet.revokeAndConfirm(pair.session)
        }
        #expect(try fleet.admin(.post, "/admin/v1/revocations", #"{"jti":["a","b","c"]}"#).status == .created)
        fleet.kill("v2")
        // One that waits for v2's lease, and one that does not wait for so long.
        let pair = try fleet.signIn("late")
        let short = #"{"sub":"x","wait":"confirmed","timeout":"300ms"}"#
        #expect(try fleet.admin(.post, "/admin/v1/revocations", short).status == .accepted)
        try fleet.revokeAndConfirm(pair.session)
        try fleet.addValidator("v4")
        #expect(try poll(within: .seconds(20)) { try state(of: "v2") == "lease ended" && state(of: "v4") != "" })
    }

    @Test func itIsAccessibleInEveryLook() throws {
        try signIn()
        try makeHistory()
        // Decisions as they go on, so that there is a rate.
        let pair = try fleet.signIn("busy")
        let hasRate = try poll(within: .seconds(20)) {
            for _ in 0..<50 { _ = try fleet.decide(pair.access, at: fleet.validators[0]) }
            return try browser.text("#f-decisions") != "0"
        }
        #expect(hasRate)
        try expectTree()
        for (name, dark, width, height) in [
            ("light", false, 1200, 900), ("dark", true, 1200, 900), ("narrow", false, 360, 800),
        ] {
            try browser.look(dark: dark, width: width, height: height)
            #expect(
                try poll {
                    try browser.run("return document.querySelector('#chart svg').clientWidth < \(width)") == true
                })
            let overflow = try browser.run("return document.documentElement.scrollWidth")
            #expect((overflow.integer ?? 0) <= Int64(width), "\(name) scrolls sideways")
            try browser.keepPicture("status-\(name)")
            try expectNoViolations(name)
        }
    }

    @Test func theFormIsAccessible() throws {
        for dark in [false, true] {
            try browser.look(dark: dark, width: 360, height: 640)
            try browser.keepPicture("status-form-\(dark ? "dark" : "light")")
            try expectNoViolations("form")
        }
    }

    /// What a screen reader is told: roles and names.
    private func expectTree() throws {
        let tree = try browser.protocolCommand("Accessibility.getFullAXTree")["nodes"]?.array ?? []
        let nodes = tree.filter { $0["ignored"] != true }.map {
            "\($0["role"]?["value"]?.string ?? "") \($0["name"]?["value"]?.string ?? "")"
        }
        for expected in [
            "heading Quash i1 · 0.1.0", "table Nodes", "columnheader State", "columnheader Lease left",
            "rowheader v1", "table The last revocations, the newest first", "status ", "main ", "banner ",
            "heading Revocations through this issuer", "cell lease ended", "region Nodes",
        ] {
            #expect(nodes.contains { $0.hasPrefix(expected) }, "\(expected) is not among \(Set(nodes).sorted())")
        }
        #expect(
            nodes.contains { $0.hasPrefix("image Of the last 15 revocations") || $0.hasPrefix("img Of the last 15") })
    }

    /// The rules of axe-core, all that are of WCAG 2.2 A and AA and its best practices.
    private func expectNoViolations(_ what: String) throws {
        let path = try #require(unsafe getenv("QUASH_AXE").map { unsafe String(cString: $0) })
        let library = TemporaryFolder.read(path)
        try #require(library.contains("axe"))
        try browser.run(library + ";window.axe = window.axe || axe;")
        let result = try browser.runAsynchronously(
            """
            const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ["violations"] }).then(
              (r) => done({ passes: r.passes.length, violations: r.violations.map(
                (v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary).join("; ")) }),
              (e) => done({ passes: 0, violations: [String(e)] }));
            """)
        #expect(result["passes"]?.integer ?? 0 > 10)
        #expect(result["violations"]?.array ?? [.null] == [], "\(what)")
    }
}
