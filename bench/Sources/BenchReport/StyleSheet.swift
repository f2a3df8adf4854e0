/// How the page looks. The colours are told apart by those who see few of them, in both modes, and none says alone what
/// it says: lines have dashes and marks, verdicts words.
enum StyleSheet {
    /// Shapes of the marks on lines.
    static let marks: Markup = """
        <svg width="0" height="0" aria-hidden="true" class="defs"><defs>
        <circle id="mark0" r="3.5"/>
        <rect id="mark1" x="-3.2" y="-3.2" width="6.4" height="6.4"/>
        <path id="mark2" d="M0-4.6 4.3 3.2H-4.3Z"/>
        <path id="mark3" d="M0-4.8 4.8 0 0 4.8-4.8 0Z"/>
        <path id="mark4" d="M0 4.6 4.3-3.2H-4.3Z"/>
        </defs></svg>

        """

    static let markup: Markup = "\(colours)\n\(text)\n\(tables)\n\(plots)"

    private static let colours: Markup = """
        :root {
          color-scheme: light dark;
          --paper: #ffffff; --panel: #f5f7f9; --ink: #171b20; --soft: #57606a; --rule: #dde2e7; --grid: #e8ecf0;
          --accent: #0059b3; --peer: #87929d; --reached: #00664f; --missed: #a83800;
          --c1: #e86310; --c2: #1e8150; --c3: #832c66; --c4: #634b0e; --c5: #878d96; --c6: #2595d6;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #0e1217; --panel: #171d24; --ink: #e8ecf0; --soft: #9ea9b5; --rule: #2c353f; --grid: #222a33;
            --accent: #58b0f6; --peer: #66727e; --reached: #41c7a0; --missed: #ff9d66;
            --c1: #ea5932; --c2: #17ea9c; --c3: #ad2fa0; --c4: #efb90b; --c5: #7e8488; --c6: #aad5e4;
          }
        }
        """

    private static let text: Markup = """
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
          font-variant-numeric: tabular-nums;
        }
        main { max-width: 1120px; margin: 0 auto; padding: 56px 24px 96px; }
        h1, h2, h3, p { margin: 0; }
        h1 { font-size: 34px; line-height: 1.2; font-weight: 680; letter-spacing: -0.02em; }
        h2 { font-size: 23px; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; }
        h3 { font-size: 16px; line-height: 1.4; font-weight: 650; }
        section { margin-top: 72px; }
        .lead { max-width: 76ch; text-wrap: pretty; margin-top: 8px; color: var(--soft); }
        .sub { color: var(--soft); font-size: 13px; }
        small { display: block; color: var(--soft); font-size: 13px; font-weight: 400; line-height: 1.4; }
        .notice { margin-top: 20px; padding: 10px 16px; border-left: 3px solid var(--missed); background: var(--panel); }
        .tiles { display: flex; flex-wrap: wrap; gap: 16px; margin-top: 32px; }
        .tile {
          flex: 1 1 260px; padding: 18px 22px 20px; border-radius: 8px; background: var(--panel);
          border-top: 3px solid var(--reached);
        }
        .tile.missed { border-top-color: var(--missed); }
        .tile strong { font-size: 30px; line-height: 1.2; font-weight: 680; letter-spacing: -0.02em; }
        .tile span { font-weight: 600; }
        .facts { display: flex; flex-wrap: wrap; gap: 18px 48px; margin: 32px 0 0; }
        .facts dt { color: var(--soft); font-size: 13px; }
        .facts dd { margin: 0; overflow-wrap: anywhere; }
        nav {
          display: flex; flex-wrap: wrap; gap: 6px 24px; margin-top: 32px; padding-top: 16px;
          border-top: 1px solid var(--rule); font-size: 14px;
        }
        a { color: var(--accent); text-decoration: none; }
        a:hover, a:focus-visible { text-decoration: underline; }
        .defs { position: absolute; }
        """

    private static let tables: Markup = """
        table { width: 100%; border-collapse: collapse; font-size: 15px; }
        th, td { padding: 9px 24px 9px 0; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
        th:last-child, td:last-child { padding-right: 0; }
        thead th { color: var(--soft); font-size: 13px; font-weight: 600; white-space: nowrap; }
        tbody th { font-weight: 400; }
        .number { text-align: right; white-space: nowrap; }
        .scroll { overflow-x: auto; margin-top: 20px; }
        .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
        .cards { margin-top: 24px; }
        .cards tbody th { font-weight: 550; min-width: 220px; }
        .cards .result { max-width: 300px; min-width: 150px; }
        .verdict { font-weight: 600; }
        .verdict::before { display: inline-block; width: 1.3em; }
        .verdict.reached { color: var(--reached); }
        .verdict.reached::before { content: "✓"; }
        .verdict.missed { color: var(--missed); }
        .verdict.missed::before { content: "✕"; }
        .verdict.none { color: var(--soft); }
        .verdict.none::before { content: "–"; }
        .alarm th, .alarm td { color: var(--missed); font-weight: 650; }
        .single { margin-top: 32px; }
        .plots + .single { margin-top: -36px; }
        details { margin-top: 14px; font-size: 14px; }
        details table { font-size: 14px; }
        details th, details td { padding: 7px 16px 7px 0; }
        details .scroll { margin-top: 6px; }
        summary { width: fit-content; color: var(--soft); font-size: 13px; cursor: pointer; }
        @media (max-width: 720px) {
          main { padding: 32px 16px 64px; }
          h1 { font-size: 28px; }
          section { margin-top: 56px; }
          th, td { padding-right: 14px; }
          .cards thead { display: none; }
          .cards, .cards tbody, .cards tr, .cards th, .cards td { display: block; }
          .cards tr { padding: 14px 0; border-bottom: 1px solid var(--rule); }
          .cards th, .cards .number, .cards .result {
            max-width: none; padding: 2px 0; border: 0; text-align: left; white-space: normal;
          }
          .cards .result small { margin-left: 6em; }
          .cards td::before {
            content: attr(data-label); display: inline-block; width: 5.5em; color: var(--soft); font-size: 13px;
          }
        }
        @media print { details:not([open]) { display: none; } section { break-inside: avoid-page; } }
        """

    private static let plots: Markup = """
        .plots {
          display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 0 64px;
          margin-top: 32px;
        }
        figure { margin: 0 0 56px; min-width: 0; display: grid; grid-template: subgrid / minmax(0, 1fr); align-items: start; }
        .of-bars { grid-row: span 3; }
        .of-lines { grid-row: span 4; }
        .plots:last-child { margin-bottom: -56px; }
        svg { overflow: visible; }
        svg text { fill: var(--ink); font-size: 13px; }
        .bars { display: block; width: calc(100% - var(--end)); margin: 18px var(--end) 0 0; }
        .bars rect { fill: var(--peer); }
        .bars .own rect { fill: var(--accent); }
        .bars .own text { font-weight: 650; }
        .bars .none { fill: var(--soft); font-style: italic; }
        .halo line { stroke: var(--paper); stroke-width: 3.5; stroke-opacity: 0.7; }
        .whisker line { stroke: var(--ink); stroke-width: 1.25; }
        .lines { display: block; width: calc(100% - var(--start) - 22px); margin: 14px 22px 0 var(--start); }
        .lines .tick { fill: var(--soft); font-size: 12px; }
        .grid { stroke: var(--grid); }
        .base { stroke: var(--peer); }
        .line { fill: none; stroke: var(--c); stroke-width: 1.75; vector-effect: non-scaling-stroke; }
        .line { stroke-linejoin: round; }
        .own.line, .own .line { stroke-width: 2.75; }
        .mark { fill: var(--c); stroke: var(--paper); stroke-width: 1; }
        .legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 12px 0 0; padding: 0; list-style: none; }
        .legend li { font-size: 13px; }
        .legend svg { vertical-align: -1px; margin-right: 2px; }
        .note { margin-top: 14px; }
        .legend .own { font-weight: 650; }
        .c0 { --c: var(--accent); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
        .c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); }
        .d1.line, .d1 .line { stroke-dasharray: 7 3; } .d2.line, .d2 .line { stroke-dasharray: 2 3; }
        .d3.line, .d3 .line { stroke-dasharray: 9 3 2 3; }
        """
}
